"""Workers that do not see the workspace are sent what they need, and results are those of one machine, bit for bit."""

import io
import pickle
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from rich.console import Console

from data.clip_name import ClipName
from data.clips.span import Span
from data.errors import UnreadableFileError
from data.raw.clip_source import ClipSource, HeldSource
from data.recordings.read_clip import RawPart, Reading
from pipeline.cluster.cluster import Cluster
from pipeline.cluster.worker import Wanted
from pipeline.stages.preprocess import Task, _cleaned_on
from pipeline.workspace.folder import Workspace
from tests.conftest import TinyRun
from tests.pipeline.cluster.by_hand import ByHand, command, contents, started


@dataclass(frozen=True)
class Elsewhere:
    """Workers, and a folder that is empty for them. They do not see the raw clips either."""

    machines: ByHand
    hidden: Path


@pytest.fixture(scope="module")
def elsewhere(tmp_path_factory: pytest.TempPathFactory, tiny_raw: Path) -> Iterator[Elsewhere]:
    hidden = tmp_path_factory.mktemp("hidden")
    with started(tmp_path_factory.mktemp("machines"), 2, hidden=(hidden, tiny_raw)) as machines:
        yield Elsewhere(machines, hidden)


def test_clips_and_members_are_sent(elsewhere: Elsewhere, tiny_run: TinyRun) -> None:
    root = elsewhere.hidden / "work"
    shutil.copytree(tiny_run.root, root, symlinks=True)
    printed = " ".join(
        command(root, stage, "--force", "--cluster", elsewhere.machines.address)
        for stage in ("preprocess", "train", "evaluate")
    )
    for what in (
        r"raw files are sent: [\d.]+ MB in \d tasks",
        r"arrays are sent: features and texts, [\d.]+ MB to each of 2 workers",
        r"arrays are sent: features, texts and model\.safetensors, [\d.]+ MB to each of 2 workers",
    ):
        assert re.search(f"cluster: not every worker sees {root}, so {what}", printed), printed
    ours, theirs = Workspace(root), Workspace(tiny_run.root)
    assert ours.rejects.read_bytes() == theirs.rejects.read_bytes()
    for path in (ours.skeletons, ours.run("default").model, ours.run("default").predictions):
        earlier = theirs.root / path.relative_to(root)
        assert path.stat().st_mtime_ns > earlier.stat().st_mtime_ns
        assert contents(path) == contents(earlier)


@pytest.mark.slow
def test_extract_and_rows_of_a_sweep_work_here(tmp_path: Path, elsewhere: Elsewhere, tiny_run: TinyRun) -> None:
    here, there = tmp_path / "here", elsewhere.hidden / "sweep"
    rows = tmp_path / "alphas.toml"
    rows.write_text('[product]\n"train.alpha" = [0.1]\n')
    for root, options in ((here, ()), (there, ("--cluster", elsewhere.machines.address))):
        shutil.copytree(tiny_run.root, root, symlinks=True)
        extracted = command(root, "extract", "--force", *options)
        swept = command(root, "sweep", str(rows), *options)
    assert f"cluster: not every worker sees {there}, so extract works on this machine" in extracted
    assert f"cluster: not every worker sees {there}, so arrays are sent: features and texts" in swept
    for name in ("features/test.h5", "runs/alphas-train.alpha-0.1/model.safetensors"):
        assert contents(here / name) == contents(there / name)
    assert (here / "sweeps" / "alphas.csv").read_bytes() == (there / "sweeps" / "alphas.csv").read_bytes()


def test_a_recording_of_many_clips_is_not_sent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    said = io.StringIO()
    cluster = Cluster(None, "there:1", Workspace(tmp_path), Wanted({}, tmp_path, ""), Console(file=said, width=200))
    part = RawPart(ClipSource("walk.bvh", 1000), span=Span(0, 10, in_seconds=True))
    tasks: list[Task] = [([(ClipName.parse("S001C001P001R001A001"), part)], "shift-gcn", Reading(), 1)]
    assert _cleaned_on(cluster, tasks) is None
    assert (
        "so preprocess works on this machine: walk.bvh (0 to 10 s) is a large file, or a part of one" in said.getvalue()
    )


def test_a_file_that_could_not_be_read_here_is_refused_there_in_the_same_words(tmp_path: Path) -> None:
    held = pickle.loads(pickle.dumps(HeldSource.of(ClipSource(str(tmp_path / "gone.skeleton"), 10))))
    with pytest.raises(UnreadableFileError, match=r"gone\.skeleton: can't be read \(No such file"):
        held.read()
