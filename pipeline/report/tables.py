"""Builds the tables and texts of a report as strings: results, actions, and how to run it again."""

from dataclasses import replace

import pandas as pd

from data.settings import MADE_DATASET
from data.splits import action_label
from data.stores.prediction_store import ENSEMBLE, Predictions, Task
from pipeline.report.class_accuracy import class_accuracy
from pipeline.report.run_data import Missing, RunData, attempt
from pipeline.stages.comparison import comparison_table, differences, published
from pipeline.stages.result_tables import Table, cycles_text, number, results_table, seen_unseen_h
from pipeline.workspace.evaluate_settings import RULES

MOST_ROWS = 15  # of the table of confusions


def summary(runs: list[RunData]) -> Table:
    """Return a row for each run, under the rule of its headline."""
    rows = [
        [
            run.title,
            number(run.results, run.rule, "zsl.top1"),
            number(run.results, run.rule, "zsl.chance"),
            *seen_unseen_h(run.results, run.rule),
            f"{run.rule}, {len(run.seeds)} seed{'s' if len(run.seeds) > 1 else ''}",
            f"{run.config.dataset.name}, {run.results['split']['name']}, {run.results['protocol']}",
        ]
        for run in runs
    ]
    head = ["run", "ZSL top-1", "chance", "GZSL seen", "unseen", "H", "selection", "data"]
    return Table(head, rows, "Percent; GZSL with the fitted gate.")


def result_tables(run: RunData) -> list[tuple[str, Table]]:
    """Return all numbers of one run: under every rule, and of every seed and their ensemble."""
    ensemble = {ENSEMBLE: run.results[ENSEMBLE]} if ENSEMBLE in run.results else {}
    of_seeds = {f"seed {seed}": scores for seed, scores in run.results["seeds"].items()}
    seeds = [
        [
            f"{name}, {rule}",
            cycles_text(scores[rule]).split(" ", 1)[1],
            *(f"{scores[rule]['zsl'][key]:.1f}" for key in ("top1", "per_class")),
            *(f"{scores[rule]['gzsl'][key]:.1f}" for key in ("seen", "unseen", "h")),
        ]
        for name, scores in (of_seeds | ensemble).items()
        for rule in RULES
    ]
    results = results_table(run.results)
    rules = "; ".join(f"{rule}: {meaning}" for rule, meaning in RULES.items())
    note = f"{results.note[0].upper()}{results.note[1:]}. * marks the rule of the headline. {rules}."
    by_seed = Table(["model, rule", "cycle", "ZSL top-1", "ZSL classes", "seen", "unseen", "H"], seeds)
    return [("Every rule", replace(results, note=note)), ("Every seed", by_seed)]


def paper_table(run: RunData) -> tuple[Table, list[str]] | None:
    """Return the published results with those of the run below, and the run's differences from the paper's conditions.

    None when nothing is published on the split.
    """
    split = run.results["split"]["name"]
    if not published(split):
        return None
    unlike_paper = attempt(lambda: differences(run.context, run.config))
    note = "Percent, cross-subject; published numbers as printed, to a tenth."
    table = replace(comparison_table(run.results, split), note=note)
    return table, [unlike_paper.reason] if isinstance(unlike_paper, Missing) else unlike_paper


def headline(run: RunData) -> str:
    """Return a sentence that says what the run was trained and scored on."""
    counts = run.results["counts"]["test"]
    split, protocol = run.results["split"]["name"], run.results["protocol"]
    return (
        f"{run.config.dataset.name}, split {split}, protocol {protocol}: trained on {counts['training_clips']} clips "
        f"of {counts['seen_actions']} seen actions; scored on {counts['seen_clips']} clips of them and "
        f"{counts['unseen_clips']} of {counts['unseen_actions']} unseen actions."
    )


def notices(run: RunData) -> list[str]:
    """Return what a reader must know before the numbers, a sentence each."""
    notices = list(run.changed())
    if run.config.dataset.name == MADE_DATASET:
        notices.append(
            "The clips are synthetic, not recorded. The numbers show that the program works, and nothing more."
        )
    return notices + [f"{caveat[0].upper()}{caveat[1:]}." for caveat in run.results.get("caveats", ())]


def most_confused(run: RunData, predictions: Predictions, task: Task) -> Table:
    """Return the pairs of actions with the most wrong clips, counted over all seeds."""
    counts: dict[tuple[int, int], int] = {}
    clips = predictions.scored_clips(task)
    for seed in predictions.seeds:
        predicted = seed.predicted(task)[clips]
        for pair in zip(predictions.action[clips].tolist(), predicted.tolist(), strict=True):
            if pair[0] != pair[1]:
                counts[pair] = counts.get(pair, 0) + 1
    most = sorted(counts.items(), key=lambda item: (-item[1], item[0]))[:MOST_ROWS]
    return Table(
        ["actual", "taken for", "clips, all seeds"],
        [[run.named(actual), run.named(predicted), str(count)] for (actual, predicted), count in most],
    )


def class_table(run: RunData, predictions: Predictions) -> Table:
    """Return a row for each action: unseen ones first, then by GZSL accuracy, the lowest first."""
    gzsl, zsl = class_accuracy(predictions, "GZSL"), class_accuracy(predictions, "ZSL")
    unseen = set(predictions.unseen_actions.tolist())
    rows = [
        [
            run.named(action),
            "unseen" if action in unseen else "seen",
            str(int((predictions.action == action).sum())),
            f"{gzsl[action].mean():.1f}",
            f"{zsl[action].mean():.1f}" if action in zsl else "-",
        ]
        for action in sorted(gzsl, key=lambda action: (action not in unseen, gzsl[action].mean(), action))
    ]
    head = ["action", "kind", "test clips", "GZSL, %", "ZSL, %"]
    return Table(head, rows, "Mean of the seeds.")


def commands(run: RunData) -> str:
    """Return the commands that install the same versions and make the same run."""
    provenance = run.results["provenance"]
    versions = run.results["versions"]
    dataset = run.config.dataset
    named = [f"dataset.{key}" for key in ("raw", "manifest", "descriptions") if getattr(dataset, key)]
    files = f", and the files that its {' and '.join(named)} name" if named else ""
    pins = " ".join(
        f"{name}=={version.partition('+')[0]}"
        for name, version in versions.items()
        if name not in ("python", "fsvae-pipe") and version != "not installed"
    )
    return "\n".join(
        (
            f"# scored {provenance['created']} by: {provenance['command']}",
            f"# Python {versions['python']}, fsvae-pipe {versions['fsvae-pipe']}",
            f"pip install {pins}",
            f"# in WORK: the config.toml below{files}:",
            f"fsvae-pipe -w WORK run --run {run.name}",
            f"fsvae-pipe -w WORK report {run.name}",
        )
    )


def missing_texts(run: RunData) -> str:
    """Return why `descriptions` lacks levels that the run used; "" when it has all of them."""
    path, texts, levels = run.workspace.text, run.texts, run.config.text.levels
    if isinstance(texts, Missing):
        return texts.reason
    if not texts.texts:
        return f"{path} was imported and holds only features, no texts"
    lacking = [level for level in levels if level not in texts.texts]
    return f"{path} holds no texts of {', '.join(lacking)}, which the run used" if lacking else ""


def descriptions(run: RunData) -> str:
    """Return the texts as a CSV for dataset.descriptions; "" when text.h5 holds none."""
    texts = run.texts
    if isinstance(texts, Missing) or not texts.texts:
        return ""
    used = [level for level in run.config.text.levels if level in texts.texts]
    levels = [*used, *(level for level in texts.texts if level not in used)]
    columns = {"action": map(action_label, texts.action.tolist()), **{level: texts.texts[level] for level in levels}}
    return pd.DataFrame(columns).to_csv(index=False, lineterminator="\n")
