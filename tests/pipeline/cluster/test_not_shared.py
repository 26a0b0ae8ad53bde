"""Workers that do not see the workspace are sent what they need, and results are those of one machine, bit for bit."""

import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

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
