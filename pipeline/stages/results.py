"""Writes results.json and predictions.h5 of a run, and prints the results."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.console import Console

from data.phase_names import PHASES, PhaseName
from data.splits import Split
from data.stores import h5
from data.stores.feature_store import FeatureSet
from data.stores.files import replacing, sealed
from data.stores.prediction_store import (
    Confusions,
    Decision,
    Predictions,
    SeedName,
    SeedPredictions,
    write_clips,
    write_seed,
)
from models.zero_shot.metrics import confusion_matrix
from models.zero_shot.score_gate import ScoreGate, SeenDistance
from pipeline.phases.features_and_texts import phase_and_clips
from pipeline.phases.scores import PhaseScoring
from pipeline.stages.result_tables import on_screen, results_table
from pipeline.stages.scoring import Prediction
from pipeline.workspace.context import Context
from pipeline.workspace.evaluate_settings import Rule
from pipeline.workspace.provenance import json_fingerprint

Tree = dict[str, Any]


def over_seeds(trees: Sequence[Tree], statistic: str) -> Tree:
    """Return the mean of every number in trees of the same keys, or its standard deviation (n - 1; 0 for one seed)."""
    merged: Tree = {}
    for key, value in trees[0].items():
        column = [tree[key] for tree in trees]
        if isinstance(value, dict):
            merged[key] = over_seeds(column, statistic)
        elif statistic == "mean":
            merged[key] = float(np.mean(column))
        else:
            merged[key] = float(np.std(column, ddof=1)) if len(column) > 1 else 0.0
    return merged


def split_record(split: Split) -> Tree:
    """Return what results.json says of the split."""
    return {
        "name": split.name,
        "seen": list(split.seen),
        "unseen": list(split.unseen),
        "val_unseen": list(split.val_unseen),
        "val_unseen_drawn": split.val_unseen_drawn,
    }


def counts(split: Split, features: dict[PhaseName, FeatureSet]) -> Tree:
    """Clips and actions of each part of each phase."""
    numbers: Tree = {}
    for name in PHASES:
        phase, clips = phase_and_clips(name, split, features[name])
        numbers[name] = {
            "training_clips": int(clips.fit.sum()),
            "seen_clips": int(clips.seen.sum()),
            "unseen_clips": int(clips.unseen.sum()),
            "seen_actions": len(phase.seen),
            "unseen_actions": len(phase.unseen),
        }
    return numbers


def write_results(path: Path, results: Tree) -> None:
    """Write results.json with the fingerprint of its contents, whole or not at all."""
    results = {**results, "provenance": {**sealed(results["provenance"]), "fingerprint": json_fingerprint(results)}}
    with replacing(path) as partial:
        partial.write_text(json.dumps(results, indent=2) + "\n", "utf-8")


def write_predictions(
    path: Path,
    test: PhaseScoring,
    distance: SeenDistance,
    predictions: Mapping[SeedName, Mapping[Rule, Prediction]],
    record: Mapping[str, str],
) -> None:
    """Write predictions.h5 (data/stores/prediction_store.py); `distance` is that of the test phase."""
    unseen_clips, actions = test.is_unseen, (*test.seen, *test.unseen)
    clips = Predictions(
        test.clip_name, test.action, np.asarray(test.seen), np.asarray(test.unseen), test.seen_logits, ()
    )
    with h5.writing(path, record) as file:
        write_clips(file, clips, distance.arrays())
        for seed, rules in predictions.items():
            for rule, prediction in rules.items():
                zsl, gzsl = test.zsl_actions(prediction.unseen_probabilities), prediction.gzsl_action
                unseen, gate = (part.astype(np.float32) for part in (prediction.unseen_probabilities, prediction.gate))
                write_seed(
                    file,
                    rule,
                    SeedPredictions(seed, prediction.cycles[-1], unseen, gate, zsl, gzsl),
                    Decision(
                        _gate_arrays(prediction),
                        prediction.cycles,
                        distance.arrays(),
                        prediction.arrays,
                        prediction.all_arrays,
                        {} if prediction.rejection is None else {"quantiles": prediction.rejection.quantiles},
                    ),
                    Confusions(
                        confusion_matrix(test.action[unseen_clips], zsl[unseen_clips], test.unseen),
                        confusion_matrix(test.action, gzsl, actions),
                    ),
                )


def _gate_arrays(prediction: Prediction) -> dict[str, NDArray[np.float64]]:
    gate = prediction.fitted_gate
    if isinstance(gate, ScoreGate):
        return {"quantiles": gate.quantiles, "threshold": np.asarray(gate.threshold)}
    return {"weights": gate.weights, "bias": np.asarray(gate.bias), "top": np.asarray(float(prediction.top))}


def print_results(context: Context) -> None:
    """Print the table and the warnings of the existing results.json, when there is nothing to run."""
    results = json.loads(context.run.results.read_text("utf-8"))
    title = f"{context.run_name}: split {results['split']['name']}, {results['protocol']}, up to date"
    screen = Console()
    screen.print(on_screen(results_table(results), title))
    print_caveats(screen, results)


def print_caveats(screen: Console, results: Tree) -> None:
    """Print the warnings in `results`."""
    for caveat in results.get("caveats", ()):
        screen.print(f"warning: {caveat}", style="yellow", highlight=False, markup=False)
