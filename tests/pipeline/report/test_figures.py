"""The numbers that a report draws are those of the run's files."""

from dataclasses import asdict
from pathlib import Path
from typing import get_args

import h5py
import numpy as np
import pandas as pd
import pytest

from data.stores.prediction_store import Predictions, Task
from data.stores.text_store import read_text_features
from models.backbone.state import EpochReport
from pipeline.report.class_accuracy import class_accuracy, nearest_texts
from pipeline.report.confusion_matrix import confusion_plot
from pipeline.report.frequency_gains import gains_plot, read_gains
from pipeline.report.latent_map import latent_map
from pipeline.report.learning_curves import backbone_curves, loss_curves
from pipeline.report.mistakes import MOST_MISTAKES, worst_mistakes
from pipeline.report.run_data import Missing, RunData, read_run
from pipeline.report.trade_off import trade_off
from pipeline.workspace.folder import Workspace
from tests.shared.made_report import MADE


@pytest.fixture(scope="module")
def run(scored_work: Path) -> RunData:
    return read_run("default", Workspace(scored_work))


@pytest.fixture(scope="module")
def predictions(run: RunData) -> Predictions:
    assert isinstance(run.predictions, Predictions)
    return run.predictions


def test_the_chosen_threshold_gives_the_accuracies_of_the_results(run: RunData, predictions: Predictions) -> None:
    threshold = np.array([run.config.evaluate.gate.threshold])
    for index, seed in enumerate(run.seeds):
        point = trade_off(predictions, index, threshold)
        scored = run.results["seeds"][str(seed)][run.rule]["gzsl"]
        assert point.seen[0] == pytest.approx(scored["seen"])
        assert point.unseen[0] == pytest.approx(scored["unseen"])
        assert point.h[0] == pytest.approx(scored["h"])


def test_the_trade_off_runs_from_all_unseen_to_all_seen(run: RunData, predictions: Predictions) -> None:
    curve = trade_off(predictions, 0)
    perfect = run.results["seeds"][str(run.seeds[0])][run.rule]["gzsl_oracle_gate"]
    assert (curve.seen[0], curve.unseen[-1]) == (0, 0)
    assert curve.seen[-1] == pytest.approx(perfect["seen"])
    assert curve.unseen[0] == pytest.approx(perfect["unseen"])
    assert (np.diff(curve.seen) >= 0).all()
    assert (np.diff(curve.unseen) <= 0).all()


@pytest.mark.parametrize("task", get_args(Task))
def test_confusions_are_those_of_the_predictions_file(
    run: RunData, predictions: Predictions, task: Task, scored_work: Path
) -> None:
    with h5py.File(scored_work / "runs" / "default" / "predictions.h5") as file:
        counts = sum(file[f"{seed}/{run.rule}/{task.lower()}_confusion"][()] for seed in run.seeds)
    plot = confusion_plot(run, predictions, task)
    actions = [int(code[1:]) for code in plot.meta["codes"]]
    order = np.argsort(np.argsort(actions))
    np.testing.assert_array_equal(plot.figure.data[0].customdata, counts[np.ix_(order, order)])
    assert plot.figure.data[0].z.sum(axis=1) == pytest.approx(100, abs=0.5)
    if task == "GZSL":
        assert actions[-3:] == list(MADE.unseen)


def test_accuracy_of_the_classes_averages_to_the_results(run: RunData, predictions: Predictions) -> None:
    accuracy = class_accuracy(predictions, "ZSL")
    assert set(accuracy) == set(MADE.unseen)
    for index, seed in enumerate(run.seeds):
        mean = np.mean([values[index] for values in accuracy.values()])
        assert mean == pytest.approx(run.results["seeds"][str(seed)][run.rule]["zsl"]["per_class"])


def test_the_nearest_text_is_the_nearest(run: RunData) -> None:
    actions = [1, 3, 7, 12]
    text = read_text_features(run.workspace.text)
    rows = np.concatenate([text.features[level] for level in run.config.text.levels], axis=1)[[a - 1 for a in actions]]
    rows = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    for row, action in enumerate(actions):
        others = {other: 1 - rows[row] @ rows[at] for at, other in enumerate(actions) if at != row}
        nearest, distance = nearest_texts(run, actions)[action]
        assert nearest == min(others, key=lambda other: others[other])
        assert distance == pytest.approx(others[nearest], abs=1e-5)


def test_gains_start_as_set_and_are_learnt_a_seed(run: RunData) -> None:
    gains = read_gains(run)
    assert gains.learnt.shape == (2, MADE.features)
    assert gains.initial[0] == pytest.approx(1 + run.config.model.frequency.strength)
    assert np.abs(gains.learnt - gains.initial).max() > 1e-4
    assert not np.array_equal(*gains.learnt)


def test_the_dotted_line_parts_raised_from_damped_coefficients(run: RunData) -> None:
    """In the released form a band that reaches over the cutoff is high, and so are its first coefficients."""
    gains = read_gains(run)
    assert (gains.initial[: gains.low] > 1).all()
    assert not (gains.initial[gains.low :] > 1).any()
    [line, _] = gains_plot(run, gains).figure.layout.shapes
    assert line.x0 == gains.low - 0.5 != run.config.model.frequency.cutoff + 0.5


def test_each_loss_of_the_history_is_a_curve(run: RunData) -> None:
    history = run.history
    assert isinstance(history, pd.DataFrame)
    drawn = {trace.name: trace for trace in loss_curves(run, history, "val").figure.data}
    names = ["total", "skeleton reconstruction", "text reconstruction", "skeleton KL", "calibrated"]
    assert list(drawn) == names  # of two cycles, no text KL; no cross-reconstruction: both are 0 throughout
    means = history[history["phase"] == "val"].groupby(["cycle", "step"])["total"].mean()
    assert list(drawn["total"].y) == pytest.approx(means.to_list())
    other = history.drop(columns="skeleton_kl").assign(gone=1.0)  # of a run with other losses than the table's
    other["step"] = 2 * other["step"] + 1  # and of an aligner whose cycles have other steps than the settings say
    drawn = {trace.name: trace for trace in loss_curves(run, other, "val").figure.data}
    assert list(drawn) == [*(name for name in names if name != "skeleton KL"), "gone"]
    assert drawn["gone"].x[-1] == other["cycle"].max() * (other["step"].max() + 1) - 1


def test_both_accuracies_of_the_backbone_are_drawn() -> None:
    reports = [asdict(EpochReport(epoch, 2.0, 40.0, 50.0, 90.0, (50.0,))) for epoch in (1, 2)]
    drawn = {trace.name: list(trace.y) for trace in backbone_curves({"test": reports}).figure.data}
    assert drawn == {"training clips, test phase": [40, 40], "held-out clips, test phase": [50, 50]}


def test_the_map_shows_every_test_clip_and_text_in_the_order_of_variance(
    run: RunData, predictions: Predictions
) -> None:
    points = latent_map(run)
    assert sorted(points.clip) == sorted(predictions.name)
    assert all(clip.endswith(f"A{action:03d}") for clip, action in zip(points.clip, points.clip_action, strict=True))
    assert points.text_points.shape == (MADE.actions, 2)
    assert points.clip_points[:, 0].var() > 0
    assert points.variance_shares[0] >= points.variance_shares[1]


def test_the_worst_mistakes_are_mistakes_each_pair_once(run: RunData, predictions: Predictions) -> None:
    mistakes = worst_mistakes(run)
    row = {str(name): index for index, name in enumerate(predictions.name)}
    predicted = {"ZSL": predictions.seeds[0].zsl_action, "GZSL": predictions.seeds[0].gzsl_action}
    assert mistakes
    for task in get_args(Task):
        of_task = [mistake for mistake in mistakes if mistake.task == task]
        assert len(of_task) <= MOST_MISTAKES
        assert len({(m.actual, m.predicted) for m in of_task}) == len(of_task)
        surplus = [mistake.predicted_probability - mistake.actual_probability for mistake in of_task]
        assert surplus == sorted(surplus, reverse=True)
        for mistake in of_task:
            assert mistake.predicted == predicted[task][row[mistake.clip]] != mistake.actual
            assert mistake.actual == predictions.action[row[mistake.clip]]
            assert not isinstance(mistake.skeleton, Missing)
            assert mistake.skeleton.name == mistake.clip
