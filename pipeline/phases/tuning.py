"""Fits the gate and all else that is tuned, on the val phase's scored clips. No clip of the test part is looked at.

The threshold of the gate of scores is that of the test phase. models/zero_shot/score_gate.py says how it is found.
Letters: N scored clips of the val phase, M held-out clips of the test phase, S seen actions, U unseen actions.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from data.phase_names import PhaseName
from models.zero_shot.gate import Bools, Floats, Gate, best_threshold, fitted_clips, gate_features, softmax
from models.zero_shot.metrics import harmonic_mean
from models.zero_shot.rejection import Rejection
from models.zero_shot.score_gate import AnyGate, ScoreGate, gate_scores
from models.zero_shot.settings import GateKind
from pipeline.phases.scores import CycleScores, PhaseScoring
from pipeline.workspace.evaluate_settings import EvaluateSettings

TEMPERATURES = (0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0, 8.0)  # tried on the val phase


@dataclass(frozen=True)
class Tuned:
    """What is fitted or tuned on the val phase, for one seed or the ensemble, and the cycles of one rule."""

    top: int  # probabilities of either kind that the published gate looks at
    gate: AnyGate  # at the set temperature
    tuned_temperature: float
    tuned_gate: AnyGate  # at the tuned temperature
    threshold: float  # of the tuned gate
    stacking_temperature: float
    offset: float  # of calibrated stacking
    zsl_top1: float  # of the val phase, for choosing between settings without the test classes
    tuned_h: float  # of the val phase, with the tuned gate
    rejection: Rejection | None  # None where no scorer sees all texts


def gate_inputs(kind: GateKind, scoring: PhaseScoring, scores: CycleScores, seen: Floats, top: int) -> Floats:
    """What a gate of `kind` looks at, (N, 2 top) or (N, 3); `seen` (N, S) are the backbone's probabilities."""
    if kind == "scores" and scores.text is not None:
        return gate_scores(seen, scoring.distance, scores.text)
    return gate_features(scores.probabilities, seen, top)


def tune(
    phases: Mapping[PhaseName, PhaseScoring],
    scores_of: Mapping[PhaseName, CycleScores],
    top: int,
    settings: EvaluateSettings,
    generator: np.random.Generator,
) -> Tuned:
    """Fit and tune everything on the val phase's scored clips, for use in the test phase.

    `generator` draws the clips that are held out of fitting the published gate, if the settings ask for that.
    """
    val, scores = phases["val"], scores_of["val"]
    unseen = scores.probabilities  # (N, U)
    fitted = fitted_clips(val.is_unseen, settings.gate.held_out, generator)
    seen_column = np.searchsorted(np.asarray(val.seen), val.action)
    right_if_unseen = val.zsl_actions(unseen) == val.action
    right_if_seen = val.seen_logits.argmax(axis=1) == np.where(val.is_unseen, -1, seen_column)
    named = right_if_seen if right_if_seen.any() else ~val.is_unseen  # seen clips that a gate can lose

    def fit(temperature: float) -> tuple[AnyGate, Floats]:
        """The gate at one temperature, and its probabilities of all clips."""
        inputs = gate_inputs(settings.gate.kind, val, scores, softmax(val.seen_logits, temperature), top)
        gate: AnyGate
        if settings.gate.kind == "scores":
            seen = _held_out_inputs(phases["test"], scores_of["test"], temperature)
            gate = ScoreGate.fit(inputs, val.is_unseen, len(val.unseen), inputs[named] if seen is None else seen)
        else:
            gate = Gate.fit(inputs[fitted], val.is_unseen[fitted], settings.gate.c, settings.gate.balanced)
        return gate, gate.probability(inputs)

    def stacking(temperature: float) -> Floats:
        return np.asarray(unseen.max(axis=1) - softmax(val.seen_logits, temperature).max(axis=1))

    def best(scores_at: Callable[[float], Floats]) -> tuple[float, float, float]:
        """The temperature with the best H, the threshold there, and that H."""
        clips = val.is_unseen, right_if_seen, right_if_unseen
        tries = {temperature: _threshold_and_h(scores_at(temperature), *clips) for temperature in TEMPERATURES}
        temperature = max(tries, key=lambda tried: tries[tried][1])
        return temperature, *tries[temperature]

    temperature, threshold, h = best(lambda tried: fit(tried)[1])
    stacking_temperature, level, _ = best(stacking)
    return Tuned(
        top=top,
        gate=fit(settings.gate.temperature)[0],
        tuned_temperature=temperature,
        tuned_gate=fit(temperature)[0],
        threshold=0.5 if settings.gate.kind == "scores" else threshold,
        stacking_temperature=stacking_temperature,
        offset=-level,
        zsl_top1=val.zsl_top1(unseen),
        tuned_h=100 * h,
        rejection=_rejection(val, scores, right_if_unseen),
    )


def _threshold_and_h(
    scores: Floats, is_unseen: Bools, right_if_seen: Bools, right_if_unseen: Bools
) -> tuple[float, float]:
    """The best threshold of `scores`, and its H (0 to 1)."""
    level = best_threshold(scores, is_unseen, right_if_seen, right_if_unseen)
    called_unseen = scores >= level
    return level, harmonic_mean(
        float((right_if_seen & ~called_unseen)[~is_unseen].mean()),
        float((right_if_unseen & called_unseen)[is_unseen].mean()),
    )


def _held_out_inputs(test: PhaseScoring, scores: CycleScores, temperature: float) -> Floats | None:
    """What the gate of scores looks at, of the test phase's held-out clips, (M, 3). None when there are too few."""
    held_out = test.held_out
    if held_out is None or scores.held_out_text is None:
        return None
    return gate_scores(softmax(held_out.seen_logits, temperature), held_out.distance, scores.held_out_text)


def _rejection(val: PhaseScoring, scores: CycleScores, right_if_unseen: Bools) -> Rejection | None:
    """What tells clips of none of the candidates, fitted to the pseudo-unseen clips."""
    clips = val.is_unseen
    return None if scores.text is None else Rejection.fit(scores.text[clips], right_if_unseen[clips])
