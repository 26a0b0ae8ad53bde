"""The sections of a report: for each, a function that makes a run's panel.

When a file of the run is missing, the panel says so instead of showing its contents.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, get_args

from data.errors import DataError
from data.phase_names import PHASES
from data.stores.prediction_store import Predictions, Task
from pipeline.report.class_accuracy import accuracy_against_texts, nearest_texts
from pipeline.report.confusion_matrix import confusion_plot
from pipeline.report.frequency_gains import gains_plot, read_gains
from pipeline.report.latent_map import latent_map, latent_map_plot
from pipeline.report.learning_curves import backbone_curves, loss_curves
from pipeline.report.mistakes import Mistake, worst_mistakes
from pipeline.report.plot_style import Plot
from pipeline.report.run_data import Missing, RunData, attempt
from pipeline.report.tables import class_table, commands, descriptions, missing_texts, most_confused
from pipeline.report.trade_off import trade_off_curve, trade_off_over_threshold
from pipeline.stages.result_tables import Table
from pipeline.workspace.provenance import read_record


@dataclass(frozen=True)
class Panel:
    """One run's part of a section. Tables and texts come with their headings."""

    run: RunData
    plots: list[Plot] = field(default_factory=list)
    tables: list[tuple[str, Table]] = field(default_factory=list)
    mistakes: list[Mistake] = field(default_factory=list)
    texts: list[tuple[str, str]] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)  # reasons why something is not shown


def _with_predictions(run: RunData, make_panel: Callable[[RunData, Predictions], Panel]) -> Panel:
    """The panel that `make_panel` makes, or one that says why the run has no predictions."""
    predictions = run.predictions
    return (
        Panel(run, missing=[predictions.reason]) if isinstance(predictions, Missing) else make_panel(run, predictions)
    )


def confusions_panel(run: RunData) -> Panel:
    """Show the confusion matrices and the pairs of actions that are confused most often."""
    return _with_predictions(run, _confusions)


def _confusions(run: RunData, predictions: Predictions) -> Panel:
    tasks = get_args(Task)
    return Panel(
        run,
        [confusion_plot(run, predictions, task) for task in tasks],
        [(f"Most frequent confusions, {task}", most_confused(run, predictions, task)) for task in tasks],
    )


def classes_panel(run: RunData) -> Panel:
    """Show the accuracy of each action against the distance to the nearest text."""
    return _with_predictions(run, _classes)


def _classes(run: RunData, predictions: Predictions) -> Panel:
    unseen = sorted(predictions.unseen_actions.tolist())
    rivals: dict[Task, list[int]] = {"GZSL": sorted([*predictions.seen_actions.tolist(), *unseen]), "ZSL": unseen}
    plots: list[Plot] = []
    missing: list[str] = []
    for task, actions in rivals.items():
        if len(actions) < 2:
            continue
        nearest = attempt(lambda actions=actions: nearest_texts(run, actions))  # type: ignore[misc]
        if isinstance(nearest, Missing):
            missing = [nearest.reason]
        else:
            plots.append(accuracy_against_texts(run, predictions, task, nearest))
    return Panel(run, plots, [("Every action", class_table(run, predictions))], missing=missing)


def trade_off_panel(run: RunData) -> Panel:
    """Show seen and unseen accuracy over the gate's threshold."""
    return _with_predictions(run, _trade_off)


def _trade_off(run: RunData, predictions: Predictions) -> Panel:
    return Panel(run, [trade_off_curve(run, predictions), trade_off_over_threshold(run, predictions)])


def learning_panel(run: RunData) -> Panel:
    """Show the losses of the aligner and the accuracies of the backbone."""
    plots: list[Plot] = []
    missing: list[str] = []
    history = run.history
    if isinstance(history, Missing):
        missing.append(history.reason)
    else:
        plots += [loss_curves(run, history, phase) for phase in PHASES]
    reports = attempt(lambda: _backbone_reports(run))
    if isinstance(reports, Missing):
        missing.append(f"No learning curve of a backbone: {reports.reason}")
    else:
        plots.append(backbone_curves(reports))
    return Panel(run, plots, missing=missing)


def _backbone_reports(run: RunData) -> dict[str, list[dict[str, Any]]]:
    """Phase -> the reports of the backbone's epochs. Raises DataError or PipelineError when a backbone has none."""
    reports: dict[str, list[dict[str, Any]]] = {}
    for phase in PHASES:
        path = run.workspace.backbone(phase)
        try:
            reports[phase] = json.loads(read_record(path)["reports"])
        except (KeyError, ValueError) as error:
            raise DataError(f"{path}: has no reports of its epochs") from error
    return reports


def frequencies_panel(run: RunData) -> Panel:
    """Show the gains of the frequency module."""
    gains = attempt(lambda: read_gains(run))
    return Panel(run, missing=[gains.reason]) if isinstance(gains, Missing) else Panel(run, [gains_plot(run, gains)])


def latents_panel(run: RunData) -> Panel:
    """Show clips and texts on two principal components of the latent space."""
    points = attempt(lambda: latent_map(run))
    if isinstance(points, Missing):
        return Panel(run, missing=[points.reason])
    return Panel(run, [latent_map_plot(run, points, set(run.results["split"]["unseen"]))])


def mistakes_panel(run: RunData) -> Panel:
    """Show the worst mistakes with their clips."""
    mistakes = attempt(lambda: worst_mistakes(run))
    if isinstance(mistakes, Missing):
        return Panel(run, missing=[mistakes.reason])
    reasons = {mistake.skeleton.reason for mistake in mistakes if isinstance(mistake.skeleton, Missing)}
    notes = [f"Clips can't be shown: {reason}" for reason in sorted(reasons)]
    return Panel(run, mistakes=mistakes, missing=notes if mistakes else ["No test clip was named wrongly."])


def again_panel(run: RunData) -> Panel:
    """Show what is needed to make the run again: settings, versions, commands and texts."""
    provenance = run.results["provenance"]
    versions = [[name, version] for name, version in run.results["versions"].items()]
    environment = attempt(lambda: run.folder.environment.read_text("utf-8", "replace"))
    config = attempt(lambda: run.folder.config.read_text("utf-8", "replace"))
    texts = [
        ("Commands", commands(run)),
        ("config.toml", config.reason if isinstance(config, Missing) else config),
        ("environment.json", environment.reason if isinstance(environment, Missing) else environment),
    ]
    described, lacking = descriptions(run), missing_texts(run)
    if described:
        texts.append(("descriptions.csv: the texts", described))
    inputs = [[name, digest] for name, digest in json.loads(provenance["inputs"]).items()]
    tables = [
        ("Versions", Table(["package", "version"], versions)),
        ("Fingerprints of what was scored", Table(["input", "SHA-256"], inputs)),
    ]
    return Panel(run, tables=tables, texts=texts, missing=[lacking] if lacking else [])


CLASSES_INTRODUCTION = (
    "Where two texts are close, their actions are hard to tell apart by text alone. This explains a low point on the "
    "left, but not a low point on the right."
)
TRADE_OFF_INTRODUCTION = (
    "A clip counts as unseen when the gate's probability reaches the threshold. A lower threshold finds more unseen "
    "clips and loses seen ones. The curves are computed on test clips; the threshold in use was chosen without them."
)
MISTAKES_INTRODUCTION = (
    "The clips where the model was surest of a wrong action, one for each pair of actions. ZSL chooses among the "
    "unseen actions, GZSL among all, with both classifiers weighted by the gate."
)
SECTIONS: tuple[tuple[str, str, str, Callable[[RunData], Panel]], ...] = (
    ("confusions", "Which actions are taken for which", "", confusions_panel),
    ("classes", "Classes and their texts", CLASSES_INTRODUCTION, classes_panel),
    ("trade-off", "Seen against unseen", TRADE_OFF_INTRODUCTION, trade_off_panel),
    ("learning", "Learning curves", "", learning_panel),
    ("frequencies", "Frequencies", "", frequencies_panel),
    ("latents", "Map of the latent space", "", latents_panel),
    ("mistakes", "Worst mistakes", MISTAKES_INTRODUCTION, mistakes_panel),
    ("again", "Run it again", "", again_panel),
)  # in the order of the page: id in the page, title, introduction, and the function that makes a run's panel
