import numpy as np
import pytest

from pipeline.phases.held_out import at_chance, choose_held_out


def test_whole_subjects_where_there_are_enough() -> None:
    action, subject = (part.ravel() for part in np.meshgrid(np.arange(1, 5), np.arange(1, 21)))
    train = subject <= 12
    held_out = choose_held_out(action, subject, train, 0.2, seed=3)
    chosen = np.unique(subject[held_out])
    assert len(chosen) == 2
    assert (held_out == (train & np.isin(subject, chosen))).all()
    assert (held_out == choose_held_out(action, subject, train, 0.2, seed=3)).all()
    assert any((held_out != choose_held_out(action, subject, train, 0.2, seed=seed)).any() for seed in range(5))


def test_a_share_of_each_action_where_subjects_are_few() -> None:
    subject = np.repeat([1, 2, 3], 20)
    action = np.tile(np.repeat([1, 2], 10), 3)
    train = subject != 3
    held_out = choose_held_out(action, subject, train, 0.1, seed=0)
    assert not held_out[~train].any()
    assert [held_out[action == number].sum() for number in (1, 2)] == [2, 2]


def test_an_action_that_only_the_chosen_subject_shows_keeps_clips() -> None:
    action = np.array([1, 1, 1, 2, 2])
    subject = np.array([1, 2, 3, 3, 3])
    train = np.ones(5, bool)
    for seed in range(6):
        held_out = choose_held_out(action, subject, train, 0.4, seed)
        assert set(action[~held_out]) == {1, 2}
        assert held_out.any()


def test_a_single_clip_is_never_held_out() -> None:
    held_out = choose_held_out(np.array([1, 2, 2]), np.array([1, 1, 1]), np.ones(3, bool), 0.5, seed=0)
    assert held_out.tolist()[0] is False
    assert held_out.sum() == 1


@pytest.mark.parametrize(
    ("top1", "clips", "classes", "nothing"),
    [
        (1.8, 1000, 55, True),
        (5.4, 1000, 55, True),  # three columns of logits in a wrong order, right by luck
        (5.5, 1000, 55, False),
        (60.0, 400, 2, False),  # half as much again as chance, 75 %, would be good
        (60.0, 40, 2, True),  # 24 of 40: of seven guesses, one is as good
        (75.0, 40, 2, False),
        (52.0, 40, 2, True),
        (5.0, 20, 55, True),  # one of 20: of three guesses, one is as good
        (10.0, 20, 55, False),
        (100.0, 40, 1, False),  # one class: nothing to tell apart
        (0.0, 19, 55, False),  # too few to tell
        (float("nan"), 100, 5, False),
    ],
)
def test_an_accuracy_like_a_guess_is_told(top1: float, clips: int, classes: int, nothing: bool) -> None:
    assert at_chance(top1, clips, classes) == nothing
