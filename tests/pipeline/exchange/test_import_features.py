"""`fsvae-pipe import features`: which feature folders it takes, and which it refuses."""

import json
from pathlib import Path

import numpy as np
import pytest

from data.stores.feature_store import read_features
from pipeline.workspace.provenance import read_record
from tests.shared.import_command import call, refused
from tests.shared.made_published import UNSEEN, VAL_UNSEEN


def test_folders_become_the_clips_of_both_phases(work: Path, shift: Path, shift_val: Path) -> None:
    result = call("-w", work, "import", "features", shift, shift_val)
    assert result.exit_code == 0, result.output
    test, val = (read_features(work / "features" / f"{phase}.h5") for phase in ("test", "val"))
    assert (test.train.sum(), (~test.train).sum(), test.held_out.sum()) == (55 * 8, 60 * 4, 0)
    assert set(test.action[test.train].tolist()) == set(range(1, 61)) - set(UNSEEN)
    gtest = np.load(shift / "gtest.npy")
    np.testing.assert_array_equal(test.features[~test.train], gtest)
    np.testing.assert_array_equal(test.logits[~test.train], np.load(shift / "gtest_out.npy"))
    np.testing.assert_array_equal(test.action[~test.train], np.load(shift / "g_label.npy") + 1)
    assert (test.name[0], test.name[-1]) == ("train.npy[0]", "gtest.npy[239]")
    assert val.train.all()
    assert set(val.action[val.held_out].tolist()) == set(range(1, 61)) - set(UNSEEN)
    assert not np.isin(val.action[~val.held_out], VAL_UNSEEN).any()
    assert test.logit_actions.tolist() == val.logit_actions.tolist() == list(range(1, 61))


@pytest.mark.parametrize("phase", ["test", "val"])
def test_every_file_of_a_folder_is_needed(work: Path, shift: Path, shift_val: Path, phase: str) -> None:
    folder = {"test": shift, "val": shift_val}[phase]
    for path in sorted(folder.iterdir()):
        away = path.rename(path.with_suffix(".away"))
        message = refused(work, "features", folder)
        assert path.name in message
        away.rename(path)
    assert call("-w", work, "import", "features", folder).exit_code == 0


def test_broken_files_are_named(work: Path, shift: Path) -> None:
    for path in sorted(shift.iterdir()):
        whole = path.read_bytes()
        for broken in (whole[:-1], whole[:40], b"", b"no array at all", whole.replace(b"'shape': (", b"'shape': (9")):
            path.write_bytes(broken)
            assert str(path) in refused(work, "features", shift)
        np.save(path, np.array([{"a": 1}]))  # an object array is a pickle inside
        assert str(path) in refused(work, "features", shift)
        path.write_bytes(whole)
    assert call("-w", work, "import", "features", shift).exit_code == 0


def test_impossible_values_are_refused(work: Path, shift: Path) -> None:
    def changed(name: str, change: object) -> str:
        path = shift / name
        before = np.load(path)
        np.save(path, change(before.copy()))  # type: ignore[operator]
        message = refused(work, "features", shift)
        np.save(path, before)
        assert name in message
        return message

    def with_nan(array: np.ndarray) -> np.ndarray:
        array[3, 1] = np.nan
        return array

    def one_more_a012(labels: np.ndarray) -> np.ndarray:
        labels[np.flatnonzero(labels == 10)[0]] = 11
        return labels

    assert "NaN" in changed("gtest.npy", with_nan)
    assert "NaN" in changed("gtest_out.npy", with_nan)
    assert "A061" in changed("g_label.npy", lambda labels: labels + 1)
    assert "no clip of A011" in changed("z_label.npy", lambda labels: np.where(labels == 10, 11, labels))
    assert "number of clips of A011, A012" in changed("z_label.npy", one_more_a012)
    assert "class index" in changed("train_label.npy", lambda labels: labels - 1)
    assert "class index" in changed("train_label.npy", lambda labels: labels + 0.5)
    assert "rows" in changed("train_label.npy", lambda labels: labels[:-1])
    assert "A011" in changed("train_label.npy", lambda labels: np.r_[10, labels[1:]])
    assert "no clip of A001" in changed("train_label.npy", lambda labels: np.where(labels == 0, 1, labels))
    assert "backbone" in changed("ztest.npy", lambda features: features + 1)
    assert "width" in changed("ztest.npy", lambda features: features[:, :-1])
    assert "59 columns" in changed("gtest_out.npy", lambda logits: logits[:, :-1])
    assert "probabilities" in changed("gtest_out.npy", lambda logits: np.full_like(logits, 1 / 60))
    assert "shape" in changed("train.npy", lambda features: features[0])


def test_the_folder_of_another_split_is_refused(work: Path, shift: Path) -> None:
    message = refused(work, "features", shift, "--set", "dataset.split=ntu60-synse-48-12")
    assert "another split" in message


def test_logits_of_the_seen_actions_alone_are_taken_in_their_order(work: Path, shift: Path) -> None:
    path = shift / "gtest_out.npy"
    seen = [action - 1 for action in range(1, 61) if action not in UNSEEN]
    np.save(path, np.load(path)[:, seen])
    assert call("-w", work, "import", "features", shift).exit_code == 0
    assert (read_features(work / "features/test.h5").logit_actions - 1).tolist() == seen


def test_logits_in_another_order_are_warned_of(work: Path, shift: Path) -> None:
    path = shift / "gtest_out.npy"
    np.save(path, np.load(path)[:, ::-1])
    result = call("-w", work, "import", "features", shift)
    assert result.exit_code == 0
    assert "in the order of the actions" in " ".join(result.stderr.split())


def test_two_folders_of_one_phase_and_no_folder_are_refused(work: Path, tmp_path: Path, shift: Path) -> None:
    assert "both hold the test phase" in refused(work, "features", shift, shift)
    assert "no such folder" in refused(work, "features", tmp_path / "none")
    assert "gtest.npy" in refused(work, "features", tmp_path)


def test_a_backbone_that_knows_unseen_actions_is_warned_of(work: Path, shift: Path) -> None:
    path = shift / "gtest_out.npy"
    logits, labels = np.load(path), np.load(shift / "g_label.npy")
    logits[labels == 10, 10] = 1e6
    np.save(path, logits)
    result = call("-w", work, "import", "features", shift)
    assert result.exit_code == 0
    assert "recognises A011, so it was trained on unseen actions" in " ".join(result.stderr.split())
    record = read_record(work / "features/test.h5")
    assert (record["transfer"], record["backbone_saw"]) == ("true", '["A011"]')


def test_the_val_folder_of_a_custom_split_needs_the_test_folder_first(work: Path, shift: Path, shift_val: Path) -> None:
    custom = [
        "--set", "dataset.split=custom",
        "--set", f"dataset.unseen={[f'A{action:03d}' for action in UNSEEN]}",
        "--set", f"dataset.val_unseen={[f'A{action:03d}' for action in VAL_UNSEEN]}",
    ]  # fmt: skip
    assert "import its folder first" in refused(work, "features", shift_val, *custom)
    assert call("-w", work, "import", "features", shift, *custom).exit_code == 0
    assert call("-w", work, "import", "features", shift_val, *custom).exit_code == 0


def test_ztest_of_the_test_phase_may_be_left_out(work: Path, shift: Path) -> None:
    np.save(shift / "ztest.npy", np.load(shift / "ztest.npy") + 1)
    assert "without ztest.npy and z_label.npy can be imported" in refused(work, "features", shift)
    (shift / "ztest.npy").unlink()
    assert "ztest.npy: no such file" in refused(work, "features", shift)
    (shift / "z_label.npy").unlink()
    assert call("-w", work, "import", "features", shift).exit_code == 0
    assert "shift_5_r/ztest.npy" not in json.loads(read_record(work / "features/test.h5")["inputs"])
