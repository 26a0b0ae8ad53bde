"""What the models of several seeds say together."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from models.aligners.protocol import Arrays, Entropy, Scorer, State
from models.fsvae.batches import TrainingData
from models.fsvae.training import LossRow
from pipeline.phases.scores import CycleScores, MemberScores, PhaseScoring, SeedModel, ensemble_scores

FIRST, SECOND = [0.5, 0.45, 0.05], [0.05, 0.45, 0.5]  # of three unseen actions, by the models of two seeds


class FixedScorer(Scorer):
    """The same probabilities for every clip: those of the last actions, as many as there are texts."""

    def __init__(self, probabilities: Tensor, texts: int) -> None:
        super().__init__()
        last = probabilities[-texts:]
        self.fixed = last / last.sum()

    def forward(self, features: Tensor) -> Tensor:
        return self.fixed.expand(len(features), -1)


@dataclass(frozen=True)
class FixedAligner:
    """A state holds the probabilities of the seen action, then of the unseen ones. Fitting to texts is an error."""

    cycles: int = 2

    def fit(
        self, data: TrainingData, entropy: Entropy, device: torch.device, on_cycle: Callable[[int, LossRow], None]
    ) -> tuple[list[State], list[LossRow]]:
        raise NotImplementedError

    def scorer(
        self, state: State, texts: NDArray[np.float32], entropy: Entropy, arrays: Arrays | None = None
    ) -> Scorer:
        assert arrays
        assert arrays["of"].tolist() == list(entropy[:1])  # what this very seed fitted
        return FixedScorer(state["probabilities"], len(texts))


def scoring() -> PhaseScoring:
    return PhaseScoring(
        name="test",
        seen=(1,),
        unseen=(2, 3, 4),
        clip_name=np.array(["a", "b"]),
        action=np.array([3, 3]),
        features=np.zeros((2, 5), np.float32),
        seen_logits=np.zeros((2, 1), np.float32),
        seen_texts=np.zeros((1, 4), np.float32),
        unseen_texts=np.zeros((3, 4), np.float32),
        distance=np.zeros(2),
    )


def state(seen: float, unseen: list[float]) -> State:
    return {"probabilities": torch.tensor([seen, *((1 - seen) * value for value in unseen)])}


def of_seed(seed: int, *cycles: int) -> SeedModel:
    of = np.array([seed], np.float32)
    arrays = {"of": of} if len(cycles) == 1 else {f"{place}_of": of for place in range(len(cycles))}
    return SeedModel(seed, cycles, arrays, arrays)


def test_an_action_that_is_second_for_every_seed_can_win() -> None:
    states = [{2: state(0.2, FIRST)}, {1: state(0.4, SECOND)}]
    scores = ensemble_scores(scoring(), FixedAligner(), [of_seed(5, 2), of_seed(6, 1)], states, "scores")
    geometric = np.sqrt(np.multiply(FIRST, SECOND))
    assert scores.probabilities == pytest.approx(np.tile(geometric / geometric.sum(), (2, 1)), abs=1e-6)
    assert scoring().zsl_actions(scores.probabilities).tolist() == [3, 3]
    for alone, action in ((FIRST, 2), (SECOND, 4)):
        assert scoring().zsl_actions(np.array([alone])).tolist() == [action]
    assert scores.text == pytest.approx(np.full(2, np.log(0.45 * np.sqrt(0.8 * 0.6 / (0.2 * 0.4)))), abs=1e-6)
    assert (scores.arrays, scores.all_arrays) == ({}, {})


def test_every_seed_counts_the_same_and_cycles_are_averaged_first() -> None:
    states = [{1: state(0.5, FIRST), 2: state(0.5, FIRST)}, {1: state(0.5, SECOND), 2: state(0.5, [0.2, 0.3, 0.5])}]
    models = [of_seed(5, 1, 2), of_seed(6, 1, 2)]
    scores = ensemble_scores(scoring(), FixedAligner(), models, states, "published")
    logs = [np.log(FIRST), (np.log(SECOND) + np.log([0.2, 0.3, 0.5])) / 2]
    mean = np.exp(np.mean(logs, axis=0))
    assert scores.probabilities[0] == pytest.approx(mean / mean.sum(), abs=1e-6)
    assert scores.text is None


def test_an_ensemble_of_one_is_that_seed() -> None:
    scores = ensemble_scores(scoring(), FixedAligner(), [of_seed(5, 1)], [{1: state(0.5, FIRST)}], "published")
    assert scores.probabilities[0] == pytest.approx(FIRST, abs=1e-6)


def test_no_other_average_of_cycles_is_scored_than_the_second_half() -> None:
    one, other = (CycleScores(np.full((2, 3), value), None, {}, {}) for value in (0.1, 0.2))
    scores = MemberScores([one, one, other, one], mean=other)
    assert scores.of((3, 4)) is other
    assert scores.of((2,)) is one
    with pytest.raises(ValueError, match="too many values"):
        scores.of((2, 3, 4))
