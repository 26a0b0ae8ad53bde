"""Scores the clips of a phase after every cycle, tunes on the val phase, and measures the cycles that a rule took.

pipeline/phases/selection_rules.py says which cycles a rule takes.
Letters: N scored clips, S seen actions, U unseen actions, D_s and D_t sizes of features of clips and texts.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from data.phase_names import PhaseName
from models.aligners.averaged import average
from models.aligners.protocol import Aligner, Arrays, Entropy, Scorer, State
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
from models.zero_shot.metrics import Actions, auroc, harmonic_mean, per_class, top1
from models.zero_shot.score_gate import AnyGate, ScoreGate, gate_scores, relative_entropy, text_score
from models.zero_shot.settings import GateKind
from pipeline.phases.selection_rules import second_half
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
    seen_texts: NDArray[np.float32]  # (S, D_t)
    unseen_texts: NDArray[np.float32]  # (U, D_t)
    distance: Floats  # (N,), from the clips of seen actions that the phase trains on

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
    """What the scorers of one or several cycles say of the scored clips, and what they were fitted to the texts with.

    text: how much better the best unseen text fits than the best seen one. None where the gate does not look at it.
    arrays, all_arrays: of the scorer of the unseen texts, and of the one of all texts.
    """

    probabilities: Floats  # (N, U)
    text: Floats | None  # (N,)
    arrays: Arrays
    all_arrays: Arrays


@dataclass(frozen=True)
class MemberScores:
    """Scores after every cycle of one seed and phase, and those of the second half of the cycles, averaged."""

    cycles: list[CycleScores]
    mean: CycleScores

    def of(self, cycles: tuple[int, ...]) -> CycleScores:
        """The scores of what a rule takes: one cycle (from 1), or the second half."""
        return self.cycles[cycles[0] - 1] if len(cycles) == 1 else self.mean


def member_scores(
    scoring: PhaseScoring, aligner: Aligner, states: Sequence[State], entropy: Entropy, gate: GateKind
) -> MemberScores:
    """Make the scorers of the texts after each cycle, and apply them to every scored clip."""

    def scorers_of(texts: NDArray[np.float32]) -> list[Scorer]:
        return [aligner.scorer(state, texts, (*entropy, cycle)) for cycle, state in enumerate(states, start=1)]

    def scores(places: Sequence[int]) -> CycleScores:
        scorer = average([unseen[place] for place in places])
        probabilities, text, arrays = scorer.probabilities(scoring.features), None, {}
        if every:
            of_all = average([every[place] for place in places])
            text = text_score(of_all.probabilities(scoring.features), len(scoring.seen))
            arrays = dict(of_all.arrays())
        return CycleScores(probabilities, text, scorer.arrays(), arrays)

    unseen = scorers_of(scoring.unseen_texts)
    every = scorers_of(np.concatenate((scoring.seen_texts, scoring.unseen_texts))) if gate == "scores" else []
    later = [cycle - 1 for cycle in second_half(len(states))]
    return MemberScores([scores([place]) for place in range(len(states))], scores(later))


@dataclass(frozen=True)
class Tuned:
    """What is fitted or tuned on the val phase, for one seed and the cycles of one rule."""

    top: int  # probabilities of either kind that the published gate looks at
    gate: AnyGate  # at the set temperature
    tuned_temperature: float
    tuned_gate: AnyGate  # at the tuned temperature
    threshold: float  # of the tuned gate
    stacking_temperature: float
    offset: float  # of calibrated stacking
    zsl_top1: float  # of the val phase, for choosing between settings without the test classes
    tuned_h: float  # of the val phase, with the tuned gate


def gate_inputs(kind: GateKind, scoring: PhaseScoring, scores: CycleScores, seen: Floats, top: int) -> Floats:
    """What a gate of `kind` looks at, (N, 2 top) or (N, 3); `seen` (N, S) are the backbone's probabilities."""
    if kind == "scores" and scores.text is not None:
        return gate_scores(seen, scoring.distance, scores.text)
    return gate_features(scores.probabilities, seen, top)


def tune(
    val: PhaseScoring, scores: CycleScores, top: int, settings: EvaluateSettings, generator: np.random.Generator
) -> Tuned:
    """Fit and tune everything on the val phase's scored clips.

    `generator` draws the clips that are held out of fitting the gates, if the settings ask for that.
    """
    unseen = scores.probabilities  # (N, U)
    fitted = fitted_clips(val.is_unseen, settings.gate.held_out, generator)
    seen_column = np.searchsorted(np.asarray(val.seen), val.action)
    right_if_unseen = val.zsl_actions(unseen) == val.action
    right_if_seen = val.seen_logits.argmax(axis=1) == np.where(val.is_unseen, -1, seen_column)

    def fit(temperature: float) -> tuple[AnyGate, Floats]:
        """The gate at one temperature, and its probabilities of all clips."""
        inputs = gate_inputs(settings.gate.kind, val, scores, softmax(val.seen_logits, temperature), top)
        gate: AnyGate
        if settings.gate.kind == "scores":
            gate = ScoreGate.fit(inputs, val.is_unseen, right_if_seen, right_if_unseen)
        else:
            gate = Gate.fit(inputs[fitted], val.is_unseen[fitted], settings.gate.c, settings.gate.balanced)
        return gate, gate.probability(inputs)

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

    cycles: tuple[int, ...]
    unseen_probabilities: Floats  # (N, U)
    gate: Floats  # (N,)
    gzsl_action: Actions  # (N,), with the fitted gate
    top: int  # probabilities of either kind that the published gate looks at
    fitted_gate: AnyGate
    arrays: Arrays  # of the scorer of the unseen texts
    all_arrays: Arrays  # of the scorer of all texts


def score(
    test: PhaseScoring, scores: CycleScores, tuned: Tuned, settings: EvaluateSettings, cycles: tuple[int, ...]
) -> tuple[dict[str, Any], Prediction]:
    """One rule's accuracies (the S of results.json) and the scores behind them."""
    unseen, kind = scores.probabilities, settings.gate.kind
    seen_set = softmax(test.seen_logits, settings.gate.temperature)
    seen_tuned = softmax(test.seen_logits, tuned.tuned_temperature)
    inputs = gate_inputs(kind, test, scores, seen_set, tuned.top)
    gate = tuned.gate.probability(inputs)
    tuned_gate = tuned.tuned_gate.probability(gate_inputs(kind, test, scores, seen_tuned, tuned.top))
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
        "first_cycle": cycles[0],
        "cycle": cycles[-1],
        "zsl": {
            "top1": top1(test.action[clips], zsl),
            "per_class": per_class(test.action[clips], zsl),
            "chance": 100 / len(test.unseen),
        },
        **{name: _gzsl(test, predicted) for name, predicted in ways.items()},
        "auroc": {
            name: auroc(values, test.is_unseen)
            for name, values in {
                "gate": gate,
                "entropy": relative_entropy(seen_set),
                "distance": test.distance,
                **({} if scores.text is None else {"text": scores.text}),
            }.items()
        },
        "tuned": {
            "gate_temperature": tuned.tuned_temperature,
            "gate_threshold": tuned.threshold,
            "stacking_temperature": tuned.stacking_temperature,
            "stacking_offset": tuned.offset,
        },
        "val_phase": {"zsl_top1": tuned.zsl_top1, "tuned_gate_h": tuned.tuned_h},
    }, Prediction(cycles, unseen, gate, fitted, tuned.top, tuned.gate, scores.arrays, scores.all_arrays)


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
