"""results.json and predictions.h5 of a run, and the table on the screen."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from data.stores import h5
from data.stores.files import replacing, sealed
from data.stores.prediction_store import Confusions, Decision, Predictions, SeedPredictions, write_clips, write_seed
from models.zero_shot.metrics import confusion_matrix
from pipeline.stages.scoring import CycleScores, PhaseScoring, Prediction
from pipeline.workspace.context import Context
from pipeline.workspace.evaluate_settings import RULES, Rule
from pipeline.workspace.provenance import json_fingerprint

GZSL_WAYS = {
    "gzsl": "fitted gate",
    "gzsl_tuned_gate": "tuned gate",
    "gzsl_soft_gate": "soft gate",
    "gzsl_stacking": "calibrated stacking",
    "gzsl_oracle_gate": "perfect gate",
}
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
    scores: Mapping[int, Sequence[CycleScores]],
    record: Mapping[str, str],
) -> None:
    """Write predictions.h5 (data/stores/prediction_store.py); `scores` are those of every cycle of each seed."""
    unseen_clips, actions = test.is_unseen, (*test.seen, *test.unseen)
    clips = Predictions(
        test.clip_name, test.action, np.asarray(test.seen), np.asarray(test.unseen), test.seen_logits, ()
    )
    with h5.writing(path, record) as file:
        write_clips(file, clips)
        for seed, rules in predictions.items():
            for rule, prediction in rules.items():
                zsl, gzsl = test.zsl_actions(prediction.unseen_probabilities), prediction.gzsl_action
                unseen, gate = (part.astype(np.float32) for part in (prediction.unseen_probabilities, prediction.gate))
                fitted, arrays = prediction.fitted_gate, scores[seed][prediction.cycle - 1].arrays
                write_seed(
                    file,
                    rule,
                    SeedPredictions(seed, prediction.cycle, unseen, gate, zsl, gzsl),
                    Decision(fitted.weights, fitted.bias, prediction.top, arrays),
                    Confusions(
                        confusion_matrix(test.action[unseen_clips], zsl[unseen_clips], test.unseen),
                        confusion_matrix(test.action, gzsl, actions),
                    ),
                )


def print_results(context: Context) -> None:
    """The table of results that are there, and what must be known of them, for a call that has nothing to run."""
    results = json.loads(context.run.results.read_text("utf-8"))
    title = f"{context.run_name}: split {results['split']['name']}, {results['protocol']}, up to date"
    screen = Console()
    screen.print(results_table(results, results["selection"], title))
    print_caveats(screen, results)


def print_caveats(screen: Console, results: Tree) -> None:
    """What a reader of the table must know."""
    for caveat in results.get("caveats", ()):
        screen.print(f"warning: {caveat}", style="yellow", highlight=False, markup=False)


def results_table(results: Tree, headline: Rule, title: str) -> Table:
    """The rules side by side; the rule of the headline is marked."""
    seeds = len(results["seeds"])
    table = Table(title=title, caption=f"mean ± standard deviation of {seeds} seeds" if seeds > 1 else "one seed")
    table.add_column("percent")
    for rule in RULES:
        table.add_column(f"{rule} *" if rule == headline else rule, justify="right")
    mean, std = results["mean"], results["std"]

    def row(name: str, *keys: str) -> None:
        cells = []
        for rule in RULES:
            numbers = [_number(mean[rule], std[rule], key, with_spread=seeds > 1 and key == keys[-1]) for key in keys]
            cells.append(" / ".join(numbers))
        table.add_row(name, *cells)

    row("ZSL top-1", "zsl.top1")
    row("ZSL mean of classes", "zsl.per_class")
    row("chance", "zsl.chance")
    table.add_section()
    for key, name in GZSL_WAYS.items():
        row(f"S / U / H, {name}", f"{key}.seen", f"{key}.unseen", f"{key}.h")
    table.add_section()
    row("cycle", "cycle")
    return table


def _number(mean: Tree, std: Tree, key: str, with_spread: bool) -> str:
    table, _, name = key.rpartition(".")
    value, spread = (tree[table][name] if table else tree[name] for tree in (mean, std))
    return f"{value:.1f} ± {spread:.1f}" if with_spread and spread else f"{value:.1f}"
