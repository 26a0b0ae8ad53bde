"""How surely features and logits like a guess are found, and that others get no word."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from data.stores.feature_store import FeatureSet, read_features
from pipeline.phases.chance import CAUSES, nearest_mean_top1, seen_warnings
from pipeline.phases.features_and_texts import phase_and_clips, split_in_use
from pipeline.phases.held_out import at_chance
from pipeline.phases.phase import Phase, PhaseClips
from tests.shared.made_features import Made, made_workspace


@pytest.mark.parametrize(("clips", "classes"), [(20, 2), (20, 55), (30, 5), (100, 20), (200, 110), (5000, 55)])
def test_a_guess_is_found_and_a_backbone_that_is_half_right_is_not_called_one(clips: int, classes: int) -> None:
    generator = np.random.default_rng(0)
    guesses = 100 * generator.binomial(clips, 1 / classes, 2000) / clips
    assert np.mean([at_chance(top1, clips, classes) for top1 in guesses]) > 0.94
    if classes > 2:  # 20 clips can't tell 75 % from a guess between two
        half = 100 * generator.binomial(clips, (1 + 1 / classes) / 2, 2000) / clips
        assert np.mean([at_chance(top1, clips, classes) for top1 in half]) < 0.05


@pytest.fixture
def made(tmp_path: Path) -> tuple[Phase, PhaseClips, FeatureSet]:
    """The test phase of made features: 25 seen actions, 10 scored clips of each."""
    context = made_workspace(tmp_path, Made())
    features = read_features(context.workspace.features("test"))
    phase, clips = phase_and_clips("test", split_in_use(context.config, {"test": features}), features)
    return phase, clips, features


def said(phase: Phase, clips: PhaseClips, features: FeatureSet) -> str:
    return " | ".join(seen_warnings(phase, features, clips.fit, clips.seen, clips.seen, CAUSES["trained"]))


def test_good_features_get_no_word(made: tuple[Phase, PhaseClips, FeatureSet]) -> None:
    assert said(*made) == ""


def test_columns_in_another_order_are_found_even_when_some_are_right(
    made: tuple[Phase, PhaseClips, FeatureSet],
) -> None:
    phase, clips, features = made
    order = np.r_[0, 1, 2, np.roll(np.arange(3, features.logits.shape[1]), 1)]
    text = said(phase, clips, replace(features, logits=features.logits[:, order]))
    assert "its logits name the right action for 12.0 % of 250 seen clips, where a guess among 25" in text
    assert "features lie" not in text


def test_rows_in_another_order_are_found(made: tuple[Phase, PhaseClips, FeatureSet]) -> None:
    phase, clips, features = made
    rows = np.random.default_rng(0).permutation(len(features))
    text = said(phase, clips, replace(features, features=features.features[rows], logits=features.logits[rows]))
    assert "its logits name" in text
    assert ", and its features lie nearest" in text
    assert "no result means anything" in text


def test_a_large_number_in_the_features_hides_nothing(made: tuple[Phase, PhaseClips, FeatureSet]) -> None:
    _, clips, features = made
    large = 1e6 * np.random.default_rng(0).normal(size=(len(features), 1))
    wide = replace(features, features=np.concatenate((features.features, large), axis=1, dtype=np.float32))
    assert nearest_mean_top1(wide, clips.fit, clips.seen) > 90
