from dataclasses import fields, replace
from pathlib import Path

import h5py
import numpy as np
import pytest

from data.errors import DataError
from data.stores.feature_store import (
    FeatureSet,
    Head,
    KnownWeights,
    feature_width,
    read_features,
    read_head,
    write_features,
)


def made(num_clips: int = 5, num_actions: int = 3) -> FeatureSet:
    generator = np.random.default_rng(0)
    return FeatureSet(
        name=np.array([f"S001C001P001R{clip + 1:03d}A001" for clip in range(num_clips)]),
        action=np.ones(num_clips, dtype=np.int64),
        train=np.arange(num_clips) % 2 == 0,
        held_out=np.zeros(num_clips, dtype=bool),
        features=generator.normal(size=(num_clips, 256)).astype(np.float32),
        logits=generator.normal(size=(num_clips, num_actions)).astype(np.float32),
        logit_actions=np.arange(1, num_actions + 1),
    )


def test_round_trip(tmp_path: Path) -> None:
    features = made()
    write_features(tmp_path / "features.h5", features, {})
    again = read_features(tmp_path / "features.h5")
    assert len(again) == 5
    assert again.head is None
    assert read_head(tmp_path / "features.h5") is None
    assert again.known is None
    for field in fields(FeatureSet):
        before, after = getattr(features, field.name), getattr(again, field.name)
        if field.name not in ("head", "known"):
            np.testing.assert_array_equal(before, after)
            assert before.dtype.kind == after.dtype.kind


def made_head(num_actions: int = 3, width: int = 256) -> Head:
    weight = np.random.default_rng(1).normal(size=(num_actions, width)).astype(np.float32)
    return Head(weight, np.arange(num_actions, dtype=np.float32))


def test_the_classifier_comes_back_and_can_be_read_alone(tmp_path: Path) -> None:
    path, head = tmp_path / "features.h5", made_head()
    write_features(path, replace(made(), head=head), {})
    assert feature_width(path) == 256
    for again in (read_features(path).head, read_head(path)):
        assert again is not None
        np.testing.assert_array_equal(again.weight, head.weight)
        np.testing.assert_array_equal(again.bias, head.bias)
    logits = head.logits(made().features)
    np.testing.assert_allclose(logits, made().features @ head.weight.T + [0, 1, 2], rtol=1e-6)


@pytest.mark.parametrize(
    "head", [made_head(width=255), made_head(4), Head(made_head().weight, np.zeros(2, np.float32))]
)
def test_a_classifier_that_does_not_fit_is_refused(tmp_path: Path, head: Head) -> None:
    write_features(tmp_path / "features.h5", replace(made(), head=head), {})
    with pytest.raises(DataError, match="differ in length"):
        read_features(tmp_path / "features.h5")


def test_known_actions_come_back_and_leave_files_without_them_as_they_were(tmp_path: Path) -> None:
    known = KnownWeights(np.array([2, 5]), np.ones((2, 256), np.float32))
    write_features(tmp_path / "with.h5", replace(made(), known=known), {})
    again = read_features(tmp_path / "with.h5").known
    assert again is not None
    assert again.action.tolist() == [2, 5]
    np.testing.assert_array_equal(again.weight, known.weight)
    write_features(tmp_path / "without.h5", made(), {})
    with h5py.File(tmp_path / "without.h5") as file:
        assert set(file) == {"name", "action", "train", "held_out", "features", "logits"}


@pytest.mark.parametrize(
    ("action", "weight", "message"),
    [
        ([2, 5], np.ones((2, 255)), "differ in length"),
        ([2, 5], np.ones((3, 256)), "differ in length"),
        ([5, 2], np.ones((2, 256)), "rising actions"),
        ([2, 5], np.full((2, 256), np.nan), "finite weights"),
    ],
)
def test_known_actions_that_do_not_fit_are_refused(
    tmp_path: Path, action: list[int], weight: np.ndarray, message: str
) -> None:
    known = KnownWeights(np.array(action), weight.astype(np.float32))
    write_features(tmp_path / "features.h5", replace(made(), known=known), {})
    with pytest.raises(DataError, match=message):
        read_features(tmp_path / "features.h5")


def test_half_a_classifier_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "features.h5"
    write_features(path, replace(made(), head=made_head()), {})
    with h5py.File(path, "a") as file:
        del file["head_bias"]
    with pytest.raises(DataError, match="no dataset head_bias"):
        read_head(path)


def test_parts_that_do_not_fit_each_other_are_refused(tmp_path: Path) -> None:
    for broken in (replace(made(), action=np.ones(4, dtype=np.int64)), replace(made(), logit_actions=np.arange(2))):
        write_features(tmp_path / "features.h5", broken, {})
        with pytest.raises(DataError, match="fsvae-pipe extract"):
            read_features(tmp_path / "features.h5")
