import numpy as np
import pytest

from data.errors import DataError
from data.splits import Split
from data.stores.feature_store import FeatureSet
from pipeline.phases.phase import missing_actions, phase_clips, phase_of, require_held_out

SPLIT = Split("custom", seen=(1, 2, 3), unseen=(4,), val_unseen=(3,), val_unseen_drawn=False)


def clips(actions: list[int], train: list[int], held_out: list[int]) -> FeatureSet:
    num_clips = len(actions)
    return FeatureSet(
        name=np.array([str(clip) for clip in range(num_clips)]),
        action=np.array(actions),
        train=np.array(train, dtype=bool),
        held_out=np.array(held_out, dtype=bool),
        features=np.zeros((num_clips, 256), dtype=np.float32),
        logits=np.zeros((num_clips, 3), dtype=np.float32),
        logit_actions=np.array([1, 2, 3]),
    )


#                0  1  2  3  4  5  6  7  8  9
FEATURES = clips(
    [1, 1, 1, 2, 2, 3, 3, 3, 4, 4],
    [1, 1, 0, 1, 0, 1, 1, 0, 1, 0],
    [0, 1, 0, 0, 0, 0, 1, 0, 0, 0],
)  # fmt: skip


def test_the_test_phase_trains_on_seen_and_is_scored_on_the_test_part() -> None:
    phase = phase_of("test", SPLIT)
    assert (phase.seen, phase.unseen, phase.actions) == ((1, 2, 3), (4,), (1, 2, 3, 4))
    found = phase_clips(phase, FEATURES)
    assert np.flatnonzero(found.fit).tolist() == [0, 1, 3, 5, 6]
    assert np.flatnonzero(found.seen).tolist() == [2, 4, 7]
    assert np.flatnonzero(found.unseen).tolist() == [9]


def test_the_val_phase_looks_at_no_test_clip() -> None:
    phase = phase_of("val", SPLIT)
    assert (phase.seen, phase.unseen) == ((1, 2), (3,))
    found = phase_clips(phase, FEATURES)
    assert np.flatnonzero(found.fit).tolist() == [0, 3]
    assert np.flatnonzero(found.seen).tolist() == [1]
    assert np.flatnonzero(found.unseen).tolist() == [5, 6]
    assert not ((found.fit | found.seen | found.unseen) & ~FEATURES.train).any()


def test_a_part_without_clips_is_named() -> None:
    no_held_out = clips(FEATURES.action.tolist(), FEATURES.train.tolist(), [0] * 10)
    with pytest.raises(DataError, match="val phase has no clip in its part seen"):
        phase_clips(phase_of("val", SPLIT), no_held_out)


def test_a_seen_action_without_training_clips_is_named() -> None:
    features = clips([1, 1, 2, 3, 4], [1, 0, 0, 1, 0], [0, 0, 0, 0, 0])
    with pytest.raises(DataError, match="no training clip of A002"):
        phase_clips(phase_of("test", SPLIT), features)


def test_no_held_out_clip_is_an_error_before_any_training() -> None:
    require_held_out(phase_of("val", SPLIT), np.array([3, 2]))
    with pytest.raises(DataError, match="each seen action of the val phase has only one training clip"):
        require_held_out(phase_of("val", SPLIT), np.array([3, 4]))


def test_missing_names_what_is_not_there() -> None:
    assert missing_actions([1, 20, 3], [1]) == "A003, A020"
    assert missing_actions([1], [1, 2]) == ""
