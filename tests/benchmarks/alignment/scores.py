"""Fits and scores one row of settings on one set of unseen actions."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import torch

from data.phase_names import PHASES, PhaseName
from models.aligners.protocol import State
from models.aligners.registry import make_aligner
from models.known_actions import KnownActions
from models.zero_shot.gate import best_threshold
from models.zero_shot.metrics import harmonic_mean
from pipeline.phases.held_out import choose_held_out
from pipeline.phases.scores import CycleScores, PhaseScoring, ensemble_scores, member_scores
from pipeline.stages.scoring import Models, Prediction, score_ensemble, score_seed
from pipeline.workspace.config import Config, build_config
from pipeline.workspace.evaluate_settings import RULES, Rule
from pipeline.workspace.overrides import apply_override
from tests.benchmarks.alignment.clips import Clips, Texts
from tests.benchmarks.alignment.sets import HELD_OUT, drawn_split, phase_parts

COLUMNS = ("ZSL", "oracle", "S", "U", "H", "H best threshold", "H perfect gate", "AUROC")
TOGETHER = ("ZSL", "H", "AUROC")  # columns of the ensemble, after the others


def config_of(overrides: list[str]) -> Config:
    """The settings of a row. Raises PipelineError when one does not exist or can't have its value."""
    tree: dict[str, Any] = {}
    for override in overrides:
        apply_override(tree, override)
    return build_config(tree, "--row")


def measure(
    clips: Clips,
    texts: Mapping[int, Texts],
    overrides: list[str],
    number: int,
    unseen: int,
    val_unseen: int,
    known: KnownActions | None = None,
) -> list[float]:
    """COLUMNS and TOGETHER of one row on the set of unseen actions with this number."""
    config = config_of(overrides)
    features, action, subject, train = clips
    split = drawn_split(action, number, unseen, val_unseen)
    held_out = choose_held_out(action, subject, train, HELD_OUT, config.seed)
    aligner = make_aligner(config.model, config.train, config.evaluate.classifier)
    parts_of = {name: phase_parts(name, split, features, action, train, held_out, texts) for name in PHASES}
    phases = {name: scoring for name, (_, scoring) in parts_of.items()}
    gate, rule = config.evaluate.gate.kind, config.evaluate.selection
    states: dict[tuple[int, PhaseName], list[State]] = {}
    models: list[Models] = []
    columns: list[list[float]] = []
    for seed in config.train.seeds:
        scores = {}
        for place, (name, (data, scoring)) in enumerate(parts_of.items()):
            data = replace(data, known=known)
            states[seed, name], _ = aligner.fit(data, (seed, place), torch.device("cpu"), lambda cycle, row: None)
            scores[name] = member_scores(scoring, aligner, states[seed, name], (seed, place), gate)
        results, predictions, of_seed = score_seed(seed, config.evaluate, phases, scores)
        columns.append(_columns(results[rule], results["oracle"], phases["test"], predictions[rule]))
        models.append(of_seed)

    def together(rule: Rule, name: PhaseName) -> CycleScores:
        taken = [of_seed[rule, name] for of_seed in models]
        of_cycles = [{cycle: states[model.seed, name][cycle - 1] for cycle in model.cycles} for model in taken]
        return ensemble_scores(phases[name], aligner, taken, of_cycles, gate)

    every = (together(rule, name) for rule in RULES for name in PHASES)
    ensemble = score_ensemble(config.evaluate, phases, models, every)[0][rule]
    of_all = ensemble["zsl"]["top1"], ensemble["gzsl"]["h"], ensemble["auroc"]["gate"]
    return [*np.mean(columns, axis=0).tolist(), *of_all]


def _columns(own: Any, oracle: Any, test: PhaseScoring, prediction: Prediction) -> list[float]:
    right_if_unseen = test.zsl_actions(prediction.unseen_probabilities) == test.action
    right_if_seen = np.asarray(test.seen)[test.seen_logits.argmax(axis=1)] == test.action
    level = best_threshold(prediction.gate, test.is_unseen, right_if_seen, right_if_unseen)
    taken = prediction.gate >= level
    best = harmonic_mean(
        100 * float((right_if_seen & ~taken)[~test.is_unseen].mean()),
        100 * float((right_if_unseen & taken)[test.is_unseen].mean()),
    )
    gzsl = own["gzsl"]
    perfect, auroc = own["gzsl_oracle_gate"]["h"], own["auroc"]["gate"]
    zsl = own["zsl"]["top1"], oracle["zsl"]["top1"]
    return [*zsl, gzsl["seen"], gzsl["unseen"], gzsl["h"], best, perfect, auroc]
