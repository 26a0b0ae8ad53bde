"""Measures what each selection rule took: of one seed, and of all seeds as an ensemble.

pipeline/phases/selection_rules.py says which cycles a rule takes, pipeline/phases/scores.py what they say of clips, and
pipeline/phases/tuning.py tunes on the val phase.
Letters: N scored clips, S seen actions, U unseen actions.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

from data.phase_names import PHASES, PhaseName
from data.random_streams import GATE_HELD_OUT_CLIPS
from models.aligners.protocol import Arrays
from models.zero_shot.gate import Floats, Routing, route, softmax
from models.zero_shot.metrics import Actions, auroc, harmonic_mean, per_class, top1
from models.zero_shot.rejection import Rejection
from models.zero_shot.score_gate import AnyGate, relative_entropy
from pipeline.phases.scores import CycleScores, MemberScores, PhaseScoring, SeedModel
from pipeline.phases.selection_rules import chosen_cycles
from pipeline.phases.tuning import Tuned, gate_inputs, tune
from pipeline.workspace.evaluate_settings import RULES, EvaluateSettings, Rule, Way


@dataclass(frozen=True)
class Prediction:
    """Scores and predicted actions of the test phase's clips under one rule, by one seed or the ensemble."""

    cycles: tuple[int, ...]
    unseen_probabilities: Floats  # (N, U)
    gate: Floats  # (N,)
    gzsl_action: Actions  # (N,), with the fitted gate
    top: int  # probabilities of either kind that the published gate looks at
    fitted_gate: AnyGate
    arrays: Arrays  # of the scorer of the unseen texts
    all_arrays: Arrays  # of the scorer of all texts
    rejection: Rejection | None


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
    accuracies: dict[str, Any] = {
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
        **_rejected(test, scores, tuned, zsl),
        "tuned": {
            "gate_temperature": tuned.tuned_temperature,
            "gate_threshold": tuned.threshold,
            "stacking_temperature": tuned.stacking_temperature,
            "stacking_offset": tuned.offset,
        },
        "val_phase": {"zsl_top1": tuned.zsl_top1, "tuned_gate_h": tuned.tuned_h},
    }
    arrays = scores.arrays, scores.all_arrays
    return accuracies, Prediction(cycles, unseen, gate, fitted, tuned.top, tuned.gate, *arrays, tuned.rejection)


def _rejected(test: PhaseScoring, scores: CycleScores, tuned: Tuned, zsl: Actions) -> dict[str, Any]:
    """How well clips of none of the candidates are told, on the test phase; `zsl` are the answers to unseen clips."""
    if tuned.rejection is None or scores.text is None or scores.left_out is None:
        return {}
    clips = test.is_unseen
    right = test.action[clips] == zsl
    return {
        "rejection": tuned.rejection.measured(scores.text[clips], right, scores.left_out[clips], scores.text[~clips])
    }


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


Results = dict[str, Any]  # of one seed, or of the ensemble: the S of results.json by rule
Predictions = dict[Rule, Prediction]
Models = dict[tuple[Rule, PhaseName], SeedModel]


def score_seed(
    seed: int,
    settings: EvaluateSettings,
    phases: Mapping[PhaseName, PhaseScoring],
    scores: Mapping[PhaseName, MemberScores],
) -> tuple[Results, Predictions, Models]:
    """Accuracies and scores of one seed under every rule, and what the rule took in each phase."""
    zsl = {name: [phases[name].zsl_top1(cycle.probabilities) for cycle in scores[name].cycles] for name in PHASES}

    @cache
    def tuned_at(val_cycles: tuple[int, ...], test_cycles: tuple[int, ...]) -> Tuned:
        generator = GATE_HELD_OUT_CLIPS.generator(seed, val_cycles[-1])
        of_phase: dict[PhaseName, CycleScores] = {
            "val": scores["val"].of(val_cycles),
            "test": scores["test"].of(test_cycles),
        }
        return tune(phases, of_phase, _top(phases), settings, generator)

    results: Results = {}
    predictions: Predictions = {}
    models: Models = {}
    for rule in RULES:
        cycles = chosen_cycles(rule, zsl)
        results[rule], predictions[rule] = score(
            phases["test"],
            scores["test"].of(cycles["test"]),
            tuned_at(cycles["val"], cycles["test"]),
            settings,
            cycles["test"],
        )
        for name in PHASES:
            chosen = scores[name].of(cycles[name])
            models[rule, name] = SeedModel(seed, cycles[name], chosen.arrays, chosen.all_arrays)
    return results, predictions, models


def score_ensemble(
    settings: EvaluateSettings,
    phases: Mapping[PhaseName, PhaseScoring],
    models: Sequence[Models],
    scores: Iterator[CycleScores],
) -> tuple[Results, Predictions]:
    """Accuracies and scores of all seeds' models together, under every rule.

    Each seed takes part with the cycles that the rule took of it. The gate, like all that is tuned, is fitted on the
    ensemble's own scores of the val phase; clips are held out of that as for the first seed. `scores` are those of
    `ensemble_scores` for each rule and phase, in their order.
    """
    results: Results = {}
    predictions: Predictions = {}
    for rule in RULES:
        of_phase = {name: next(scores) for name in PHASES}
        first = models[0][rule, "val"]
        generator = GATE_HELD_OUT_CLIPS.generator(first.seed, first.cycles[-1])
        tuned = tune(phases, of_phase, _top(phases), settings, generator)
        cycles = tuple(sorted({cycle for of_seed in models for cycle in of_seed[rule, "test"].cycles}))
        results[rule], predictions[rule] = score(phases["test"], of_phase["test"], tuned, settings, cycles)
    return results, predictions


def _top(phases: Mapping[PhaseName, PhaseScoring]) -> int:
    """How many of the largest probabilities the published gate looks at: as many as both phases have of either kind."""
    return min(min(len(phase.seen), len(phase.unseen)) for phase in phases.values())
