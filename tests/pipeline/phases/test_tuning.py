"""The gate's threshold is found on the test phase's held-out clips."""

from dataclasses import replace

import numpy as np
import pytest

from pipeline.phases.scores import CycleScores, HeldOutClips, PhaseScoring
from pipeline.phases.tuning import gate_inputs, tune
from pipeline.stages.caveats import threshold_of_val_phase
from pipeline.workspace.evaluate_settings import EvaluateSettings

SEEN, UNSEEN = (1, 2, 3), (4, 5)


def made(seed: int, less_sure: float) -> tuple[PhaseScoring, CycleScores]:
    """600 clips of five actions. A `less_sure` backbone has flatter logits, larger distances and text scores."""
    generator = np.random.default_rng(seed)
    action = 1 + np.arange(600) % 5
    is_unseen = action > 3
    logits = (generator.normal(size=(600, 3)) + 3 * (action[:, None] == SEEN)) / (1 + less_sure)
    by_text = generator.dirichlet([1, 1], size=600)
    phase = PhaseScoring(
        "test", SEEN, UNSEEN, action.astype(str), action, np.zeros((600, 4), np.float32), logits.astype(np.float32),
        np.zeros((3, 2), np.float32), np.zeros((2, 2), np.float32),
        generator.normal(size=600) + is_unseen + less_sure,
    )  # fmt: skip
    return phase, CycleScores(by_text, generator.normal(size=600) + is_unseen + less_sure, {}, {})


def taken_for_unseen(phase: PhaseScoring, scores: CycleScores, seed: int) -> float:
    """The share of seen clips of `phase` that a gate, fitted to another val phase, takes for unseen ones."""
    settings = EvaluateSettings()
    val = made(seed, 0)
    tuned = tune({"val": val[0], "test": phase}, {"val": val[1], "test": scores}, 2, settings, np.random.default_rng(0))
    seen = np.exp(phase.seen_logits / settings.gate.temperature)
    inputs = gate_inputs("scores", phase, scores, seen / seen.sum(axis=1, keepdims=True), 2)
    return float((tuned.gate.probability(inputs) >= 0.5)[~phase.is_unseen].mean())


@pytest.mark.parametrize("seed", [1, 2])
def test_a_backbone_that_is_less_sure_takes_no_more_clips_for_unseen_ones(seed: int) -> None:
    usual = taken_for_unseen(*made(seed, 0), seed)
    phase, scores = made(seed, 0.7)
    right = phase.seen_logits.argmax(axis=1) == phase.action - 1  # -1: SEEN begins with 1
    rows = np.flatnonzero(right)[::3]
    changes = np.zeros((3, 4), np.float32)
    held_out = HeldOutClips(phase.features[rows], phase.seen_logits[rows], phase.distance[rows], changes)
    assert scores.text is not None
    with_held_out = replace(phase, held_out=held_out), replace(scores, held_out_text=scores.text[rows])
    assert taken_for_unseen(*with_held_out, seed) == pytest.approx(usual, abs=0.1)
    assert threshold_of_val_phase("scores", with_held_out[0]) == threshold_of_val_phase("published", phase) == []
    assert len(threshold_of_val_phase("scores", phase)) == 1
    assert taken_for_unseen(phase, scores, seed) > usual + 0.2  # with the threshold of the val phase
