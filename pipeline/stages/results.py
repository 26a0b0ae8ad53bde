"""results.json and predictions.h5 of a run, and the results on the screen."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console

from data.stores import h5
from data.stores.files import replacing, sealed
from models.zero_shot.metrics import confusion_matrix
from pipeline.stages.result_tables import on_screen, results_table
from pipeline.stages.scoring import CycleScores, PhaseScoring, Prediction
from pipeline.workspace.context import Context
from pipeline.workspace.evaluate_settings import Rule
from pipeline.workspace.provenance import json_fingerprint

Tree = dict[str, Any]


def over_seeds(trees: Sequence[Tree], statistic: str) -> Tree:
    """The mean, or the standard deviation (n - 1; 0 for one seed), of every number of equal trees."""
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


def write_results(path: Path, results: Tree) -> None:
    """Write results.json, whole or not at all, with the fingerprint of its contents in the record."""
    results = {**results, "provenance": {**sealed(results["provenance"]), "fingerprint": json_fingerprint(results)}}
    with replacing(path) as partial:
        partial.write_text(json.dumps(results, indent=2) + "\n", "utf-8")


def write_predictions(
    path: Path,
    test: PhaseScoring,
    predictions: Mapping[int, Mapping[Rule, Prediction]],
    classifiers: Mapping[int, Sequence[CycleScores]],
    record: Mapping[str, str],
) -> None:
    """Write predictions.h5: every test clip's scores for each seed and rule, and what `predict` decides by.

    `classifiers` are those of the test phase after every cycle of each seed.

    name (n,), action (n,), seen_actions (S,), unseen_actions (U,), seen_logits (n, S); and in the group SEED/RULE:
    unseen_probabilities (n, U) float32, gate (n,) float32 (probability of unseen), zsl_action (n,), gzsl_action (n,)
    with the fitted gate, zsl_confusion (U, U) of the unseen clips and gzsl_confusion (S + U, S + U): rows actual,
    columns predicted, actions sorted. The attribute `cycle` of a group is the cycle that the rule took. The unseen
    classifier is classifier_weight (U, Z) and classifier_bias (U,) float32; the gate is gate_weights (2 top,) float64,
    for the `top` largest probabilities of either kind, and the attributes gate_bias and gate_top.
    """
    unseen_clips = test.is_unseen
    with h5.writing(path, record) as file:
        h5.write_strings(file, "name", test.clip_name)
        file.create_dataset("action", data=test.action)
        file.create_dataset("seen_actions", data=np.asarray(test.seen))
        file.create_dataset("unseen_actions", data=np.asarray(test.unseen))
        file.create_dataset("seen_logits", data=test.seen_logits)
        for seed, rules in predictions.items():
            for rule, prediction in rules.items():
                group = file.create_group(f"{seed}/{rule}")
                group.attrs["cycle"] = prediction.cycle
                zsl = test.zsl_actions(prediction.unseen_probabilities)
                group["unseen_probabilities"] = prediction.unseen_probabilities.astype(np.float32)
                group["gate"] = prediction.gate.astype(np.float32)
                classifier = classifiers[seed][prediction.cycle - 1]
                group["classifier_weight"], group["classifier_bias"] = classifier.weight, classifier.bias
                group["gate_weights"] = prediction.fitted_gate.weights
                group.attrs["gate_bias"], group.attrs["gate_top"] = prediction.fitted_gate.bias, prediction.top
                group["zsl_action"] = zsl
                group["gzsl_action"] = prediction.gzsl_action
                group["zsl_confusion"] = confusion_matrix(test.action[unseen_clips], zsl[unseen_clips], test.unseen)
                group["gzsl_confusion"] = confusion_matrix(
                    test.action, prediction.gzsl_action, (*test.seen, *test.unseen)
                )


def print_results(context: Context) -> None:
    """The table of results that are there, and what must be known of them, for a call that has nothing to run."""
    results = json.loads(context.run.results.read_text("utf-8"))
    title = f"{context.run_name}: split {results['split']['name']}, {results['protocol']}, up to date"
    screen = Console()
    screen.print(on_screen(results_table(results), title))
    print_caveats(screen, results)


def print_caveats(screen: Console, results: Tree) -> None:
    """What a reader of the table must know."""
    for caveat in results.get("caveats", ()):
        screen.print(f"warning: {caveat}", style="yellow", highlight=False, markup=False)
