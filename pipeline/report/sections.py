"""The sections of a report: what each shows of a run, or why it can't."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from data.errors import DataError
from data.phase_names import PHASES
from data.stores.prediction_store import Predictions
from pipeline.phases.features_and_texts import text_matrix
from pipeline.report.data import Missing, RunData, attempt
from pipeline.report.figures import accuracy_against_texts, backbone_learning, confusion, gains, learning
from pipeline.report.gate import trade_off_curve, trade_off_over_threshold
from pipeline.report.latents import latent_figure
from pipeline.report.mistakes import Mistake, worst_mistakes
from pipeline.report.model import latent_map, read_gains
from pipeline.report.plot import Plot
from pipeline.report.tables import class_table, commands, descriptions, missing_texts, most_confused
from pipeline.stages.result_tables import Table
from pipeline.workspace.provenance import read_record


@dataclass(frozen=True)
class Panel:
    """One run's part of a section: figures, tables and clips, or why there are none."""

    run: RunData
    plots: list[Plot] = field(default_factory=list)
    tables: list[tuple[str, Table]] = field(default_factory=list)
    mistakes: list[Mistake] = field(default_factory=list)
    texts: list[tuple[str, str]] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)


def _with_predictions(run: RunData, make: Callable[[Predictions], Panel]) -> Panel:
    predictions = run.predictions
    return Panel(run, missing=[predictions.reason]) if isinstance(predictions, Missing) else make(predictions)


def confusions_panel(run: RunData) -> Panel:
    """Confusion matrices, and the pairs most often confused."""
    return _with_predictions(
        run,
        lambda predictions: Panel(
            run,
            [confusion(run, predictions, kind) for kind in ("ZSL", "GZSL")],
            [(f"Most frequent confusions, {kind}", most_confused(run, predictions, kind)) for kind in ("ZSL", "GZSL")],
        ),
    )


def nearest_texts(run: RunData, actions: list[int]) -> dict[int, tuple[int, float]]:
    """Action -> the one of `actions` with the nearest other text, and the cosine distance to it."""
    rows = text_matrix(run.context, run.config.text.levels, actions).astype(np.float64)
    distance = 1 - rows @ rows.T
    np.fill_diagonal(distance, np.inf)
    nearest = distance.argmin(axis=1)
    return {
        action: (actions[at], float(distance[place, at]))
        for place, (action, at) in enumerate(zip(actions, nearest, strict=True))
    }


def classes_panel(run: RunData) -> Panel:
    """Accuracy of each action against its nearest text."""
    return _with_predictions(run, lambda predictions: _class_plots(run, predictions))


def _class_plots(run: RunData, predictions: Predictions) -> Panel:
    everything = sorted([*predictions.seen_actions.tolist(), *predictions.unseen_actions.tolist()])
    plots: list[Plot] = []
    missing: list[str] = []
    for kind, actions in (("GZSL", everything), ("ZSL", sorted(predictions.unseen_actions.tolist()))):
        if len(actions) < 2:
            continue
        nearest = attempt(lambda actions=actions: nearest_texts(run, actions))  # type: ignore[misc]
        if isinstance(nearest, Missing):
            missing = [nearest.reason]
        else:
            plots.append(accuracy_against_texts(run, predictions, kind, nearest))
    return Panel(run, plots, [("Every action", class_table(run, predictions))], missing=missing)


def trade_off_panel(run: RunData) -> Panel:
    """Seen and unseen accuracy over the gate's threshold."""
    return _with_predictions(
        run,
        lambda predictions: Panel(run, [trade_off_curve(run, predictions), trade_off_over_threshold(run, predictions)]),
    )


def learning_panel(run: RunData) -> Panel:
    """Losses of FS-VAE, accuracies of the backbone."""
    plots: list[Plot] = []
    missing: list[str] = []
    history = run.history
    if isinstance(history, Missing):
        missing.append(history.reason)
    else:
        plots += [learning(run, history, phase) for phase in PHASES]
    reports = attempt(lambda: _backbone_reports(run))
    if isinstance(reports, Missing):
        missing.append(f"No learning curve of a backbone: {reports.reason}")
    else:
        plots.append(backbone_learning(reports))
    return Panel(run, plots, missing=missing)


def _backbone_reports(run: RunData) -> dict[str, list[dict[str, Any]]]:
    """Phase -> the backbone's epochs. Raises DataError or PipelineError when the workspace has none."""
    found: dict[str, list[dict[str, Any]]] = {}
    for phase in PHASES:
        path = run.workspace.backbone(phase)
        try:
            found[phase] = json.loads(read_record(path)["reports"])
        except (KeyError, ValueError) as error:
            raise DataError(f"{path}: does not tell its epochs") from error
    return found


def frequencies_panel(run: RunData) -> Panel:
    """Gains of the frequency module."""
    found = attempt(lambda: read_gains(run))
    return Panel(run, missing=[found.reason]) if isinstance(found, Missing) else Panel(run, [gains(run, found)])


def latents_panel(run: RunData) -> Panel:
    """Clips and texts on two principal components."""
    found = attempt(lambda: latent_map(run))
    if isinstance(found, Missing):
        return Panel(run, missing=[found.reason])
    return Panel(run, [latent_figure(run, found, set(run.results["split"]["unseen"]))])


def mistakes_panel(run: RunData) -> Panel:
    """The worst mistakes, with their clips."""
    found = attempt(lambda: worst_mistakes(run))
    if isinstance(found, Missing):
        return Panel(run, missing=[found.reason])
    reasons = {mistake.skeleton.reason for mistake in found if isinstance(mistake.skeleton, Missing)}
    notes = [f"Clips can't be shown: {reason}" for reason in sorted(reasons)]
    return Panel(run, mistakes=found, missing=notes if found else ["No test clip was named wrongly."])


def again_panel(run: RunData) -> Panel:
    """Settings, versions, commands and texts."""
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


CLASSES_ABOUT = (
    "Where two texts are close, their actions are hard to tell apart by text alone. Points low on the left are "
    "explained by their texts; points low on the right are not."
)
TRADE_OFF_ABOUT = (
    "A clip is taken for unseen when the gate's probability reaches the threshold; a lower one finds more unseen clips "
    "and loses seen ones. The curves look at test clips; the threshold in use did not."
)
MISTAKES_ABOUT = (
    "Where the model was surest of a wrong action, each pair of actions once. ZSL chooses among unseen actions only; "
    "GZSL among all, with both classifiers weighted by the gate."
)
SECTIONS: tuple[tuple[str, str, str, Callable[[RunData], Panel]], ...] = (
    ("confusions", "Which actions are taken for which", "", confusions_panel),
    ("classes", "Classes and their texts", CLASSES_ABOUT, classes_panel),
    ("trade-off", "Seen against unseen", TRADE_OFF_ABOUT, trade_off_panel),
    ("learning", "Learning curves", "", learning_panel),
    ("frequencies", "Frequencies", "", frequencies_panel),
    ("latents", "Map of the latent space", "", latents_panel),
    ("mistakes", "Worst mistakes", MISTAKES_ABOUT, mistakes_panel),
    ("again", "Run it again", "", again_panel),
)  # key, title, what to know, and a run's panel
