"""`fsvae-pipe import skeletons` of an archive: NTU60_CS.npz -> skeletons.h5."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from data.recipes import revision
from data.stores import h5
from data.stores.skeleton_store import SkeletonStore
from tests.shared.import_command import call
from tests.shared.made_arrays import (
    ACTIONS,
    FRAMES,
    TEST,
    TRAIN,
    Clips,
    batch,
    custom_workspace,
    raw_clips,
    reference,
    refused,
)


@pytest.fixture
def work(tmp_path: Path) -> Path:
    return custom_workspace(tmp_path / "work")


def write_npz(path: Path, parts: dict[str, Clips], *, compressed: bool) -> Path:
    """Write NTU60_CS.npz as CTR-GCN does: clips are moved to the first frame's spine mid and padded with zeros."""
    arrays: dict[str, Any] = {}
    for part, clips in parts.items():
        x = np.zeros((len(clips), FRAMES, 150), np.float32)
        y = np.zeros((len(clips), ACTIONS))
        for row, (name, joints) in enumerate(clips.items()):
            origin = joints[0, 0, 1]
            moved = np.where(joints.any(axis=(2, 3), keepdims=True), joints - origin, 0)
            x[row, : len(joints)] = moved.reshape(len(joints), 150)
            y[row, name.action - 1] = 1
        arrays |= {f"x_{part}": x, f"y_{part}": y}
    (np.savez_compressed if compressed else np.savez)(path, **arrays)
    return path


def without_unseen_joints(clips: Clips) -> Clips:
    """Without the action that has unseen joints: moving a clip to another origin makes them look seen."""
    return {name: joints for name, joints in clips.items() if name.action != 5}


@pytest.mark.parametrize("compressed", [False, True])
def test_an_archive_becomes_what_the_raw_clips_would(work: Path, tmp_path: Path, compressed: bool) -> None:
    parts = {"train": without_unseen_joints(raw_clips(TRAIN, 1)), "test": without_unseen_joints(raw_clips(TEST, 1))}
    path = write_npz(tmp_path / "NTU60_CS.npz", parts, compressed=compressed)
    assert "train_subjects = [1]" in refused(work, path)
    config = (work / "config.toml").read_text().replace("[1, 2]", "[1]")
    (work / "config.toml").write_text(config)
    result = call("-w", work, "import", "skeletons", path)
    assert result.exit_code == 0, result.output
    wanted = [reference(tmp_path / f"{part}.h5", clips) for part, clips in parts.items()]
    np.testing.assert_allclose(batch(work / "skeletons.h5"), np.concatenate(wanted), atol=2e-6)
    with SkeletonStore(work / "skeletons.h5") as store:
        assert (store.subject == 1).sum() == len(parts["train"])
        assert set(store.camera.tolist()) == {999}
        assert store.action.tolist() == [name.action for clips in parts.values() for name in clips]
    changed = call("-w", work, "status", "--set", "dataset.train_subjects=[2]").stdout
    assert "dataset.train_subjects changed from [1] to [2] since the import" in changed


def test_people_who_change_identity_in_an_archive_are_counted(work: Path, tmp_path: Path) -> None:
    (work / "config.toml").write_text((work / "config.toml").read_text().replace("[1, 2]", "[1]"))
    parts = {"train": raw_clips(TRAIN, 1), "test": raw_clips(TEST, 1)}
    two = next(joints for name, joints in parts["train"].items() if name.action == 3)
    two[10:] = two[10:, ::-1].copy()
    path = write_npz(tmp_path / "NTU60_CS.npz", parts, compressed=True)
    denoised = ("--set", "preprocess.recipe=denoised")
    result = call("-w", work, "import", "skeletons", path, *denoised)
    assert "1 clip in which people exchange their body ids" in result.stdout
    record = h5.read_record(work / "skeletons.h5")
    assert record["exchanged_clips"] == "1"
    assert json.loads(record["inputs"]).items() >= revision("denoised").items()
    assert "preprocess  done     imported" in call("-w", work, "status", *denoised).stdout


def test_broken_archives_are_named(work: Path, tmp_path: Path) -> None:
    (work / "config.toml").write_text((work / "config.toml").read_text().replace("[1, 2]", "[1]"))
    path = tmp_path / "NTU60_CS.npz"
    parts = {"train": raw_clips(TRAIN, 1), "test": raw_clips(TEST, 1)}
    write_npz(path, parts, compressed=True)
    whole = path.read_bytes()
    path.write_bytes(whole[:-100])
    assert "not a whole .npz archive" in refused(work, path)
    damaged = bytearray(whole)
    damaged[3000:3010] = bytes(10)
    path.write_bytes(damaged)
    assert "NTU60_CS.npz, x_train" in refused(work, path)
    arrays = dict(np.load(write_npz(path, parts, compressed=False)))
    np.savez(path, **{name: array for name, array in arrays.items() if name != "y_test"})
    assert "no array y_test" in refused(work, path)
    np.savez(path, **{**arrays, "y_train": arrays["y_train"] * 2})
    assert "one-hot" in refused(work, path)
    np.savez(path, **{**arrays, "x_test": arrays["x_test"][:, :, :75]})
    assert "150" in refused(work, path)
    np.savez(path, **{**arrays, "y_test": arrays["y_test"][:-1]})
    assert "y_test" in refused(work, path)
    assert "import it alone" in refused(work, path, path)
