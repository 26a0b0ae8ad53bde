"""People who change their id or their place in the list: what preprocess counts, and what each recipe makes of it."""

import json
from pathlib import Path

import numpy as np
import pytest

from data.raw.skeleton_file import format_clip
from data.raw.sources import fingerprint_source
from data.recipes import RECIPES, Recipe
from data.stores import h5
from data.stores.skeleton_store import SkeletonStore
from pipeline.predict.clip_stream import clip_batches
from pipeline.predict.treatment import stored_treatment
from pipeline.running.staleness import stage_state
from pipeline.stages import preprocess as stage
from pipeline.stages.table import stage_named
from tests.pipeline.stages.test_preprocess import context_of, preprocess
from tests.shared.made_skeletons import made_files, moving_clip, write_folder
from tests.shared.rewritten import rewrite_record


def of_several_people(rng: np.random.Generator) -> dict[str, bytes]:
    """Three clips of two people who stand apart: as they are, changing places half-way, and both with a new id."""
    joints = moving_clip(rng, 40, 2) + np.array([[[0, 0, 0]], [[2, 0, 0]]], np.float32)
    swapped, renamed = joints.copy(), np.zeros((40, 4, 25, 3), np.float32)
    swapped[20:] = joints[20:, ::-1]
    renamed[:20, :2], renamed[20:, 2:] = joints[:20], joints[20:]
    clips = (joints, swapped, renamed)
    return {f"S001C001P001R00{number}A001.skeleton": format_clip(clip) for number, clip in enumerate(clips, start=1)}


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize(
    ("recipe", "joined", "exchanged", "lines"),
    [
        (
            "shift-gcn",
            "0",
            "1",
            ["1 clip in which people change places in the list of bodies; the recipe tracked would follow them"],
        ),
        (
            "denoised",
            "1",
            "1",
            [
                "1 clip in which a person has several body ids; they were joined",
                "1 clip in which people exchange their body ids; the recipe tracked would follow them",
            ],
        ),
        (
            "tracked",
            "0",
            "1",
            ["1 clip in which people change places in the list of bodies; they were followed"],
        ),
    ],
)
def test_clips_in_which_people_change_identity_are_counted(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    recipe: str,
    joined: str,
    exchanged: str,
    lines: list[str],
    workers: int,
) -> None:
    monkeypatch.setattr(stage, "BATCH_CLIPS", 1)
    raw = write_folder(tmp_path / "raw", of_several_people(np.random.default_rng(0)))
    said = preprocess(tmp_path / "work", raw, recipe=recipe, workers=workers)
    assert [line for line in said.splitlines() if "in which" in line] == lines
    record = h5.read_record(tmp_path / "work" / "skeletons.h5")
    assert (record["joined_clips"], record["exchanged_clips"]) == (joined, exchanged)


@pytest.mark.parametrize("recipe", RECIPES)
def test_predict_prepares_clips_as_the_recipe_of_the_workspace_does(tmp_path: Path, recipe: Recipe) -> None:
    raw = write_folder(tmp_path / "raw", of_several_people(np.random.default_rng(0)))
    preprocess(tmp_path / "work", raw, recipe=recipe, workers=1)
    context = context_of(tmp_path / "work", raw)  # whose recipe is shift-gcn: that of skeletons.h5 counts
    (batch,) = clip_batches([raw], stored_treatment(context, 50))
    with SkeletonStore(context.workspace.skeletons) as store:
        np.testing.assert_array_equal(batch.joints, store.batch(np.arange(3), 50))


def test_nothing_is_said_of_identities_where_all_is_well(tmp_path: Path) -> None:
    raw = write_folder(tmp_path / "raw", made_files(3))
    assert "in which" not in preprocess(tmp_path / "work", raw, workers=1)
    assert h5.read_record(tmp_path / "work" / "skeletons.h5")["exchanged_clips"] == "0"


@pytest.mark.parametrize(
    ("recipe", "reasons"),
    [("shift-gcn", ()), ("tracked", ()), ("denoised", ("revision of the recipe denoised is new",))],
)
def test_only_clips_of_a_recipe_that_was_revised_since_are_stale(
    tmp_path: Path, recipe: str, reasons: tuple[str, ...]
) -> None:
    raw = write_folder(tmp_path / "raw", made_files(2))
    preprocess(tmp_path / "work", raw, recipe=recipe, workers=1)
    context = context_of(tmp_path / "work", raw, recipe=recipe, workers=1)
    assert stage_state(stage_named("preprocess"), context, {}).state == "done"
    before = json.dumps({str(raw): fingerprint_source(raw)})  # what was recorded when no recipe had a revision
    rewrite_record(context.workspace.skeletons, {"inputs": before})
    state = stage_state(stage_named("preprocess"), context, {})
    assert (state.state, state.reasons) == ("stale" if reasons else "done", reasons)
    rewrite_record(context.workspace.skeletons, {"stage": "import"})
    assert stage_state(stage_named("preprocess"), context, {}).reasons == (
        tuple(f"{reason} since the import" for reason in reasons) or ("imported",)
    )
