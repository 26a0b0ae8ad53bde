"""Ridge: its numbers are those of a regression fitted by scikit-learn, action after action left out."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from sklearn.linear_model import Ridge
from sklearn.metrics.pairwise import cosine_similarity

from models.aligners.protocol import State
from models.aligners.ridge import STRENGTHS, TEMPERATURES, RidgeAligner
from models.errors import ModelError
from models.fsvae.batches import TrainingData

CPU = torch.device("cpu")


def made(seed: int, actions: int = 7, clips: int = 6, size: int = 11, text_size: int = 9) -> TrainingData:
    """Clips around means that are a linear function of the texts, and noise; one dimension never changes."""
    generator = np.random.default_rng(seed)
    texts = generator.normal(size=(actions, text_size))
    texts /= np.linalg.norm(texts, axis=1, keepdims=True)
    means = texts @ generator.normal(size=(text_size, size))
    row = np.repeat(np.arange(actions), clips)
    skeletons = 5 + 3 * (means[row] + 0.3 * generator.normal(size=(len(row), size)))
    skeletons[:, 0] = 2
    return TrainingData(skeletons.astype(np.float32), row, texts.astype(np.float32))


def fitted(data: TrainingData) -> State:
    states, history = RidgeAligner("standardised").fit(data, (5, 0), CPU, lambda cycle, row: None)
    assert not history
    (state,) = states
    return state


class Plain:
    """The same by scikit-learn, with a regression of its own for each action that is left out."""

    def __init__(self, data: TrainingData) -> None:
        deviation = data.skeletons.astype(float).std(axis=0)
        deviation[0] = 1
        self.clips = (data.skeletons - data.skeletons.astype(float).mean(axis=0)) / deviation
        self.row, actions = data.text_row, range(len(data.texts))
        means = np.stack([self.clips[self.row == action].mean(axis=0) for action in actions])
        self.centre = means.mean(axis=0)
        self.means, self.texts = means - self.centre, data.texts - data.texts.astype(float).mean(axis=0)
        self.unit = float((self.texts**2).sum(axis=1).mean())

    def regression(self, strength: float, rows: NDArray[np.bool_]) -> Ridge:
        return Ridge(strength * self.unit, fit_intercept=False).fit(self.texts[rows], self.means[rows])

    def left_out(self, strength: float) -> NDArray[np.float64]:
        every = np.arange(len(self.texts))
        predicted = [self.regression(strength, every != one).predict(self.texts[[one]])[0] for one in every]
        return np.stack(predicted)

    def strength(self) -> float:
        return min(STRENGTHS, key=lambda tried: ((self.means - self.left_out(tried)) ** 2).sum())

    def temperature(self, strength: float) -> float:
        cosines = cosine_similarity(self.clips - self.centre, self.left_out(strength))

        def likelihood(tried: float) -> float:
            logs = cosines / tried - np.log(np.exp(cosines / tried).sum(axis=1, keepdims=True))
            own = logs[np.arange(len(logs)), self.row]
            return float(np.mean([own[self.row == action].mean() for action in np.unique(self.row)]))

        return max(TEMPERATURES, key=likelihood)


@given(st.integers(0, 10_000))
@settings(max_examples=20, deadline=None)
def test_it_is_the_regression_of_scikit_learn(seed: int) -> None:
    data = made(seed)
    state, plain = fitted(data), Plain(data)
    strength = plain.strength()
    assert state["strength"].item() == pytest.approx(strength)
    assert state["temperature"].item() == pytest.approx(plain.temperature(strength))
    wanted = plain.regression(strength, np.full(len(data.texts), True)).coef_.T  # (D_t, D_s)
    np.testing.assert_allclose(state["weight"].numpy(), wanted, rtol=1e-3, atol=1e-4)


def test_a_clip_is_named_by_the_nearest_predicted_mean() -> None:
    data, other = made(1, actions=12, text_size=5), made(1, actions=12, text_size=5)
    state = fitted(data)
    scorer = RidgeAligner().scorer(state, other.texts, (5, 0, 1))
    probabilities = scorer.probabilities(other.skeletons)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, rtol=1e-5)
    plain = Plain(data)
    predicted = plain.texts @ state["weight"].double().numpy()
    cosines = cosine_similarity(plain.clips - plain.centre, predicted)
    np.testing.assert_array_equal(probabilities.argmax(axis=1), cosines.argmax(axis=1))
    assert (probabilities.argmax(axis=1) == other.text_row).mean() > 0.9


def test_a_moved_scorer_is_that_of_clips_with_other_means() -> None:
    data = made(2)
    changes = 0.02 * np.random.default_rng(0).normal(size=(7, 11)).astype(np.float32)
    changes -= changes.mean(axis=0)  # the centre stays
    moved = replace(data, skeletons=data.skeletons + changes[data.text_row])
    scorers = []
    for clips in (data, moved):
        [state], _ = RidgeAligner("given").fit(clips, (5, 0), CPU, lambda cycle, row: None)
        scorers.append(RidgeAligner("given").scorer(state, data.texts[[3, 1, 6]], (5, 0, 1)))
    wanted = scorers[1].probabilities(data.skeletons)
    np.testing.assert_allclose(scorers[0].moved(changes).probabilities(data.skeletons), wanted, rtol=1e-4)
    assert np.abs(scorers[0].probabilities(data.skeletons) / wanted - 1).max() > 0.01


def test_two_seen_actions_are_enough_and_a_constant_feature_does_no_harm() -> None:
    state = fitted(made(3, actions=2, clips=1))
    assert all(torch.isfinite(value).all() for value in state.values())


def test_nothing_is_random() -> None:
    data = made(4)
    first, second = (
        RidgeAligner("standardised").fit(data, (seed, 1), CPU, lambda cycle, row: None)[0][0] for seed in (5, 6)
    )
    assert all(torch.equal(first[name], second[name]) for name in first)


@pytest.mark.parametrize(
    ("name", "fault", "message"),
    [
        ("weight", "missing", "missing: weight"),
        ("gain", "missing", "missing: gain"),
        ("centre", "nan", "NaN or infinite: centre"),
        ("weight", "shape", r"shapes: weight is \(2, 2\)"),
    ],
)
def test_a_state_that_is_not_whole_is_refused(name: str, fault: str, message: str) -> None:
    data = made(0)
    state = fitted(data)
    if fault == "missing":
        del state[name]
    else:
        state[name] = state[name] * torch.nan if fault == "nan" else torch.zeros(2, 2)
    with pytest.raises(ModelError, match=f"state of the ridge is not whole; {message}"):
        RidgeAligner().scorer(state, data.texts, (5, 0, 1))
