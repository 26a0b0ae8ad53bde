"""Scores the clips of a phase after every cycle, tunes on the val phase, and measures the cycle that a rule chose.

pipeline/phases/selection_rules.py says which cycle a rule chooses.
Letters: N scored clips, S seen actions, U unseen actions.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from data.phase_names import PhaseName
from models.aligners.protocol import Aligner, Arrays, Entropy, State
from models.zero_shot.gate import (
    Bools,
    Floats,
    Gate,
    Routing,
    best_threshold,
    fitted_clips,
    gate_features,
    route,
    softmax,
)
from models.zero_shot.metrics import Actions, harmonic_mean, per_class, top1
from pipeline.workspace.evaluate_settings import EvaluateSettings, Way

TEMPERATURES = (0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0, 8.0)  # tried on the val phase


@dataclass(frozen=True)
class PhaseScoring:
    """The N scored clips of one phase, and the actions that may be predicted for them."""

    name: PhaseName
    seen: tuple[int, ...]
    unseen: tuple[int, ...]
    clip_name: NDArray[np.str_]  # (N,)
    action: Actions  # (N,)
    features: NDArray[np.float32]  # (N, D_s)
    seen_logits: NDArray[np.float32]  # (N, S), the backbone's, seen actions only
    unseen_texts: NDArray[np.float32]  # (U, D_t)

    @property
    def is_unseen(self) -> Bools:
        """Which clips show an unseen action, (N,)."""
        return np.isin(self.action, self.unseen)

    def zsl_actions(self, unseen_probabilities: Floats) -> Actions:
        """The predicted unseen action of each clip, (N, U) -> (N,)."""
        return np.asarray(np.asarray(self.unseen)[unseen_probabilities.argmax(axis=1)])

    def zsl_top1(self, unseen_probabilities: Floats) -> float:
        """ZSL top-1 on the unseen clips."""
        return top1(self.action[self.is_unseen], self.zsl_actions(unseen_probabilities)[self.is_unseen])


@dataclass(frozen=True)
class CycleScores:
    """The scorer of one cycle: its probabilities of the scored clips, and the arrays that it fitted to the texts."""

    probabilities: Floats  # (N, U)
    arrays: Arrays


def cycle_scores(scoring: PhaseScoring, aligner: Aligner, state: State, entropy: Entropy) -> CycleScores:
    """Make the scorer of the unseen texts after one cycle, and apply it to every scored clip."""
    scorer = aligner.scorer(state, scoring.unseen_texts, entropy)
    return CycleScores(scorer.probabilities(scoring.features), scorer.arrays())


@dataclass(frozen=True)
class Tuned:
    """Everything that is fitted or tuned on the val phase, for one seed and rule."""

    top: int  # probabilities of either kind that the gate looks at
    gate: Gate  # at the set temperature
    tuned_temperature: float
    tuned_gate: Gate  # at the tuned temperature
    threshold: float  # of the tuned gate
    stacking_temperature: float
    offset: float  # of calibrated stacking
    zsl_top1: float  # of the val phase, for choosing between settings without the test classes
    tuned_h: float  # of the val phase, with the tuned gate


def tune(
    val: PhaseScoring, unseen: Floats, top: int, settings: EvaluateSettings, generator: np.random.Generator
) -> Tuned:
    """Fit and tune everything on the val phase's scored clips; `unseen` (N, U) are their unseen probabilities.

    `generator` draws the clips that are held out of fitting the gates, if the settings ask for that.
    """
    fitted = fitted_clips(val.is_unseen, settings.gate.held_out, generator)
    seen_column = np.searchsorted(np.asarray(val.seen), val.action)
    right_if_unseen = val.zsl_actions(unseen) == val.action
    right_if_seen = val.seen_logits.argmax(axis=1) == np.where(val.is_unseen, -1, seen_column)

    def fit(temperature: float) -> tuple[Gate, Floats]:
        """Fit the gate at one temperature. Also returns its probabilities of all clips."""
        features = gate_features(unseen, softmax(val.seen_logits, temperature), top)
        gate = Gate.fit(features[fitted], val.is_unseen[fitted], settings.gate.c, settings.gate.balanced)
        return gate, gate.probability(features)

    def stacking(temperature: float) -> Floats:
        return np.asarray(unseen.max(axis=1) - softmax(val.seen_logits, temperature).max(axis=1))

    def threshold_and_h(scores: Floats) -> tuple[float, float]:
        """The best threshold and its H."""
        level = best_threshold(scores, val.is_unseen, right_if_seen, right_if_unseen)
        called_unseen = scores >= level
        return level, harmonic_mean(
            float((right_if_seen & ~called_unseen)[~val.is_unseen].mean()),
            float((right_if_unseen & called_unseen)[val.is_unseen].mean()),
        )

    def best(scores_at: Callable[[float], Floats]) -> tuple[float, float, float]:
        """The temperature with the best H, the threshold there, and that H."""
        tries = {temperature: threshold_and_h(scores_at(temperature)) for temperature in TEMPERATURES}
        temperature = max(tries, key=lambda tried: tries[tried][1])
        return temperature, *tries[temperature]

    temperature, threshold, h = best(lambda tried: fit(tried)[1])
    stacking_temperature, level, _ = best(stacking)
    return Tuned(
        top=top,
        gate=fit(settings.gate.temperature)[0],
        tuned_temperature=temperature,
        tuned_gate=fit(temperature)[0],
        threshold=threshold,
        stacking_temperature=stacking_temperature,
        offset=-level,
        zsl_top1=val.zsl_top1(unseen),
        tuned_h=100 * h,
    )


@dataclass(frozen=True)
class Prediction:
    """Scores and predicted actions of the test phase's clips under one rule."""

    cycle: int
    unseen_probabilities: Floats  # (N, U)
    gate: Floats  # (N,)
    gzsl_action: Actions  # (N,), with the fitted gate
    top: int  # probabilities of either kind that the fitted gate looks at
    fitted_gate: Gate


def score(
    test: PhaseScoring, unseen: Floats, tuned: Tuned, settings: EvaluateSettings, cycle: int
) -> tuple[dict[str, Any], Prediction]:
    """Return the accuracies under one rule, as results.json holds them, and the scores that they come from."""
    seen_set = softmax(test.seen_logits, settings.gate.temperature)
    seen_tuned = softmax(test.seen_logits, tuned.tuned_temperature)
    gate = tuned.gate.probability(gate_features(unseen, seen_set, tuned.top))
    tuned_gate = tuned.tuned_gate.probability(gate_features(unseen, seen_tuned, tuned.top))
    seen_stacking = softmax(test.seen_logits, tuned.stacking_temperature)

    def actions(kind: Routing, seen: Floats, gate: Floats, level: float) -> Actions:
        column, is_unseen = route(kind, unseen, seen, gate, level)
        table = np.concatenate((test.seen, test.unseen))
        return np.asarray(table[column + np.where(is_unseen, len(test.seen), 0)])

    fitted = actions("hard", seen_set, gate, settings.gate.threshold)
    ways: dict[Way, Actions] = {
        "gzsl": fitted,
        "gzsl_tuned_gate": actions("hard", seen_tuned, tuned_gate, tuned.threshold),
        "gzsl_soft_gate": actions("soft", seen_set, gate, 0.0),
        "gzsl_stacking": actions("stacking", seen_stacking, gate, tuned.offset),
        "gzsl_oracle_gate": actions("hard", seen_set, test.is_unseen.astype(np.float64), 0.5),
    }
    clips = test.is_unseen
    zsl = test.zsl_actions(unseen)[clips]
    return {
        "cycle": cycle,
        "zsl": {
            "top1": top1(test.action[clips], zsl),
            "per_class": per_class(test.action[clips], zsl),
            "chance": 100 / len(test.unseen),
        },
        **{name: _gzsl(test, predicted) for name, predicted in ways.items()},
        "tuned": {
            "gate_temperature": tuned.tuned_temperature,
            "gate_threshold": tuned.threshold,
            "stacking_temperature": tuned.stacking_temperature,
            "stacking_offset": tuned.offset,
        },
        "val_phase": {"zsl_top1": tuned.zsl_top1, "tuned_gate_h": tuned.tuned_h},
    }, Prediction(cycle, unseen, gate, fitted, tuned.top, tuned.gate)


def _gzsl(test: PhaseScoring, predicted: Actions) -> dict[str, float]:
    parts = {"seen": ~test.is_unseen, "unseen": test.is_unseen}
    micro = {part: top1(test.action[clips], predicted[clips]) for part, clips in parts.items()}
    by_class = {f"{part}_per_class": per_class(test.action[clips], predicted[clips]) for part, clips in parts.items()}
    return {
        **micro,
        "h": harmonic_mean(micro["seen"], micro["unseen"]),
        **by_class,
        "h_per_class": harmonic_mean(by_class["seen_per_class"], by_class["unseen_per_class"]),
    }
