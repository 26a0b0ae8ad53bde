from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest

from data.errors import DataError
from data.stores.feature_store import FeatureSet, read_features, write_features


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
    for field in fields(FeatureSet):
        before, after = getattr(features, field.name), getattr(again, field.name)
        np.testing.assert_array_equal(before, after)
        assert before.dtype.kind == after.dtype.kind


def test_parts_that_do_not_fit_each_other_are_refused(tmp_path: Path) -> None:
    for broken in (replace(made(), action=np.ones(4, dtype=np.int64)), replace(made(), logit_actions=np.arange(2))):
        write_features(tmp_path / "features.h5", broken, {})
        with pytest.raises(DataError, match="fsvae-pipe extract"):
            read_features(tmp_path / "features.h5")
