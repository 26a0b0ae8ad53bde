"""From the files of PKU-MMD as they are downloaded to clips that are divided: manifest, init, preprocess."""

import csv
import io
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result
from rich.console import Console

from data.layouts.layout import load_layout
from data.protocols import training_clips
from data.splits import resolve_split
from data.stores.skeleton_store import SkeletonStore
from pipeline.cli.main import main
from pipeline.phases.raw_recordings import caveats
from pipeline.stages import extract
from pipeline.stages.table import stage_named
from pipeline.workspace.config import load_config
from pipeline.workspace.context import Context
from pipeline.workspace.folder import Workspace
from tests.data.layouts.made_recordings import person, points_of, recording_of

LAYOUT = load_layout("pku-mmd")
VIEWS = "LMR"
ACTIONS = {2: (1, 2), 3: (51, 21), 364: (2, 12)}  # video -> actions, 20 frames each
XSUB = "Training videos: \n0002-L, 0002-M, 0002-R, 0003-L, 0003-M, 0003-R\nValidataion videos: \n{}\n"


def call(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def write_recordings(folder: Path, recordings: Mapping[int, Sequence[int]], frames: int) -> None:
    """Write skeletons and labels of three views for video -> actions, each `frames` long."""
    for video, actions in recordings.items():
        content = recording_of(LAYOUT, points_of(person(frames * len(actions), seed=video), LAYOUT))
        ends = [(frames * place, frames * (place + 1) - 1) for place in range(len(actions))]
        labels = "".join(f"{action},{first},{last},2\n" for action, (first, last) in zip(actions, ends, strict=True))
        for view in VIEWS:
            (folder / "skeletons" / f"{video:04d}-{view}.txt").write_bytes(content)
            (folder / "labels" / f"{video:04d}-{view}.txt").write_text(labels)


@pytest.fixture
def pku(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with skeletons/, labels/ and cross-subject.txt, which is also the current folder."""
    for folder in ("skeletons", "labels"):
        (tmp_path / folder).mkdir()
    write_recordings(tmp_path, ACTIONS, frames=20)
    (tmp_path / "cross-subject.txt").write_text(XSUB.format("0364-L, 0364-M, 0364-R"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def begun(pku: Path, *overrides: str) -> Context:
    """A workspace `work`, as docs/reproducing.md begins it."""
    made = call("manifest", "skeletons/", "--layout", "pku-mmd", "--labels", "labels/", "-o", "clips.csv")
    assert made.exit_code == 0, made.output
    made = call("-w", "work", "init", "pku51-46-5", "--raw", "skeletons", "--manifest", "clips.csv")
    assert made.exit_code == 0, made.output
    assert "copy cross-subject.txt, which comes with the data, to work/cross-subject.txt" in made.stdout
    workspace = Workspace(pku / "work")
    return Context(workspace, load_config(workspace.config, overrides), workspace.config, Console(stderr=True))


def test_downloaded_files_become_clips_that_the_official_list_divides(pku: Path) -> None:
    context = begun(pku)
    rows = list(csv.DictReader(io.StringIO((pku / "clips.csv").read_text("utf-8"))))
    assert (len(rows), rows[-1]["setup"], rows[-1]["camera"]) == (18, "364", "3")
    refused = call("-w", "work", "run")
    assert "copy cross-subject.txt, which comes with the data, to" in refused.stderr
    assert not context.workspace.skeletons.exists()  # nothing was run

    (pku / "work" / "cross-subject.txt").write_bytes((pku / "cross-subject.txt").read_bytes())
    done = call("-w", "work", "preprocess")
    assert done.exit_code == 0, done.output
    assert "18 clips kept, 360 frames" in done.stderr
    assert not caveats(context)  # its protocols ask for no subject
    dataset = context.config.dataset
    with SkeletonStore(context.workspace.skeletons) as store:
        train = training_clips(dataset, store.setup, store.camera, store.subject, context.paths_from)
        assert sorted(store.name[~train]) == [f"S364C00{view}P001R001A0{a:02d}" for view in (1, 2, 3) for a in (2, 12)]
        assert np.isin(store.setup[train], (2, 3)).all()
        split = resolve_split(dataset, np.unique(store.action).tolist(), seed=0)
    assert (len(split.seen), split.unseen) == (46, (2, 10, 21, 35, 51))


def test_features_are_stale_when_the_list_changes(pku: Path) -> None:
    context = begun(pku)
    listed = pku / "work" / "cross-subject.txt"
    listed.write_bytes((pku / "cross-subject.txt").read_bytes())
    assert call("-w", "work", "preprocess").exit_code == 0
    before = stage_named("extract").provenance(context)
    listed.write_text(listed.read_text().replace("0003-R", "0004-R"))
    after = stage_named("extract").provenance(context)
    assert before.inputs["cross-subject.txt"] != after.inputs["cross-subject.txt"]
    assert before.settings["dataset.protocol_list"] == "cross-subject.txt"


def test_all_views_of_a_recording_are_held_out_together(pku: Path) -> None:
    write_recordings(pku, dict.fromkeys(ACTIONS, range(1, 52)), frames=4)
    context = begun(pku, "backbone.held_out=0.5")
    (pku / "work" / "cross-subject.txt").write_bytes((pku / "cross-subject.txt").read_bytes())
    assert call("-w", "work", "preprocess").exit_code == 0
    with SkeletonStore(context.workspace.skeletons) as store:
        parts = extract._inputs(context, store)
        held_out, fit = (np.unique(store.setup[part]) for part in (parts.held_out, parts.train & ~parts.held_out))
        assert sorted([*held_out, *fit]) == [2, 3]
        assert np.unique(store.camera[parts.held_out]).tolist() == [1, 2, 3]


def test_an_action_beyond_the_51_is_left_out(pku: Path) -> None:
    (pku / "labels" / "0002-L.txt").write_text("52,0,19,2\n2,20,39,2\n")
    begun(pku)
    done = call("-w", "work", "preprocess")
    assert "1 clip left out: actions above A051 are not in pku51" in done.stderr
