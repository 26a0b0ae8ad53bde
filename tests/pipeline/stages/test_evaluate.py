"""The stage evaluate: results.json, predictions.h5, selection rules, and what texts are worth."""

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from data.errors import DataError
from data.phase_names import PHASES, PhaseName
from data.stores.feature_store import read_features, write_features
from data.stores.h5 import read_record
from pipeline.phases.selection_rules import chosen_cycles
from pipeline.running.staleness import stage_state
from pipeline.stages.table import stage_named
from pipeline.workspace.config import build_config
from pipeline.workspace.context import Context
from pipeline.workspace.evaluate_settings import EvaluateSettings
from tests.pipeline.stages.test_train import QUICK, SMALL
from tests.shared.made_features import Made, made_workspace

WAYS = ("gzsl", "gzsl_tuned_gate", "gzsl_soft_gate", "gzsl_stacking", "gzsl_oracle_gate")


def evaluated(root: Path, made: Made, settings: dict[str, object]) -> Context:
    context = made_workspace(root, made, settings)
    for stage in ("train", "evaluate"):
        stage_named(stage).run(context)
    return context


def results_of(context: Context) -> Any:
    return json.loads(context.run.results.read_text("utf-8"))


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Context:
    return evaluated(tmp_path_factory.mktemp("run"), SMALL, QUICK)


def test_results_have_the_fixed_form(run: Context) -> None:
    results = results_of(run)
    assert set(results["seeds"]) == {"5", "6"}
    for tree in (results["mean"], results["std"], *results["seeds"].values()):
        assert set(tree) == {"mean", "val", "last", "oracle"}
        for scores in tree.values():
            assert {"top1", "per_class", "chance"} == set(scores["zsl"])
            for way in WAYS:
                assert {"seen", "unseen", "h"} <= set(scores[way])
    assert results["mean"]["val"]["zsl"]["chance"] == 50
    assert results["std"]["val"]["zsl"]["chance"] == 0
    assert results["protocol"] == "xsub"
    assert results["split"]["unseen"] == [3, 7]
    assert results["counts"]["test"]["unseen_clips"] == 8
    assert results["counts"]["val"]["unseen_clips"] == 16
    assert results["config"]["train"]["steps_per_cycle"] == 20
    assert results["transfer"] is False
    [caveat] = results["caveats"]
    assert caveat.startswith("the gate has the threshold of the val phase")  # SMALL holds out a clip of each action
    assert stage_state(stage_named("evaluate"), run, {}).state == "done"


def test_mean_and_spread_are_over_seeds(run: Context) -> None:
    results = results_of(run)
    column = [results["seeds"][seed]["last"]["gzsl"]["h"] for seed in ("5", "6")]
    assert results["mean"]["last"]["gzsl"]["h"] == pytest.approx(np.mean(column))
    assert results["std"]["last"]["gzsl"]["h"] == pytest.approx(np.std(column, ddof=1))


def test_oracle_is_the_ceiling_of_the_rules(run: Context) -> None:
    for scores in results_of(run)["seeds"].values():
        assert scores["oracle"]["zsl"]["top1"] >= max(scores["val"]["zsl"]["top1"], scores["last"]["zsl"]["top1"])
        assert scores["last"]["cycle"] == 2
        for rule in scores.values():
            assert rule["gzsl_oracle_gate"]["unseen"] == rule["zsl"]["top1"]
            assert all(rule["gzsl_oracle_gate"]["seen"] >= rule[way]["seen"] for way in WAYS)


def test_predictions_give_the_accuracies_back(run: Context) -> None:
    scores = results_of(run)["seeds"]["5"]["val"]
    with h5py.File(run.run.predictions) as file:
        action, unseen_actions = file["action"][()], file["unseen_actions"][()]
        group = file["5/val"]
        assert group.attrs["cycle"] == scores["cycle"]
        clips = np.isin(action, unseen_actions)
        zsl = unseen_actions[group["unseen_probabilities"][()].argmax(axis=1)]
        assert 100 * np.mean(zsl[clips] == action[clips]) == pytest.approx(scores["zsl"]["top1"])
        gzsl = group["gzsl_action"][()]
        assert 100 * np.mean((gzsl == action)[~clips]) == pytest.approx(scores["gzsl"]["seen"])
        confusion = group["gzsl_confusion"][()]
        assert confusion.sum() == len(action)
        assert np.trace(confusion) == np.sum(gzsl == action)
        assert group["zsl_confusion"][()].sum() == clips.sum()
        assert len(file["name"]) == len(file["seen_logits"]) == len(group["gate"]) == len(action)


def test_the_page_about_files_has_every_key_and_dataset(run: Context) -> None:
    page = (Path(__file__).parents[3] / "docs" / "file-formats.md").read_text("utf-8")
    results = results_of(run)
    one = results["mean"]["val"]
    trees = (results, one, results["counts"], results["counts"]["val"], results["split"], *one.values())
    keys = {key for tree in trees if isinstance(tree, dict) for key in tree}
    names: set[str] = set()
    with h5py.File(run.run.predictions) as file:
        file["5/val"].visititems(lambda name, item: names.add(name) if isinstance(item, h5py.Dataset) else None)
        names |= {name for name, item in file.items() if isinstance(item, h5py.Dataset)}
        names |= {f"distance/{name}" for name in file["distance"]}
    assert {"gate_fit/threshold", "rejection/quantiles", "seen_logits", "distance/means"} <= names
    words = {word.removeprefix("SEED/RULE/") for word in re.findall(r"`([^`]+)`", page)}
    assert [name for name in sorted(keys) if name not in words] == []
    assert [name for name in sorted(names) if not {name, name.rpartition("/")[2]} & words] == []


def test_the_table_shows_every_rule(run: Context, capsys: pytest.CaptureFixture[str]) -> None:
    stage_named("evaluate").run(run)
    printed = capsys.readouterr().out
    for words in (
        "mean *",
        "val",
        "last",
        "oracle",
        "ZSL top-1",
        "chance",
        "perfect gate",
        "mean ± standard deviation of 2",
    ):
        assert words in printed


def test_twice_gives_the_same_and_other_settings_of_now_do_not_matter(run: Context) -> None:
    before = results_of(run)
    config = run.config.model_copy(update={"model": build_config({"model": {"latent": 50}}, "test").model})
    stage_named("evaluate").run(replace(run, config=config))
    after = results_of(run)
    assert after["seeds"] == before["seeds"]
    assert after["config"] == before["config"]
    stage_named("evaluate").run(run)


def test_as_released_the_seed_says_what_the_gate_is_fitted_to(tmp_path: Path) -> None:
    context = evaluated(tmp_path, SMALL, {**QUICK, "model.preset": "released", "train.seeds": [5]})
    before = results_of(context)
    stage_named("evaluate").run(context)
    assert results_of(context)["seeds"] == before["seeds"]
    everything = EvaluateSettings.model_validate(
        {
            "selection": "val",
            "classifier": {"kind": "regression", "relu": True, "start": "xavier"},
            "gate": {"kind": "published", "balanced": False, "c": 2.0, "held_out": 0.0},
        }
    )
    stage_named("evaluate").run(replace(context, config=context.config.model_copy(update={"evaluate": everything})))
    after = results_of(context)
    assert after["seeds"]["5"]["last"]["zsl"] == before["seeds"]["5"]["last"]["zsl"]
    assert after["seeds"] != before["seeds"]


def test_rules_choose_their_cycles() -> None:
    zsl: dict[PhaseName, list[float]] = {"test": [10.0, 30.0, 20.0, 30.0], "val": [40.0, 20.0, 40.0, 10.0]}
    assert chosen_cycles("val", zsl) == {"test": (1,), "val": (1,)}  # of equals the first
    assert chosen_cycles("last", zsl) == {"test": (4,), "val": (4,)}
    assert chosen_cycles("oracle", zsl) == {"test": (2,), "val": (1,)}
    assert chosen_cycles("mean", zsl) == {"test": (3, 4), "val": (3, 4)}


def test_one_unseen_action_in_either_phase(tmp_path: Path) -> None:
    made = replace(SMALL, unseen=(3,), val_unseen=(2, 9))
    scores = results_of(evaluated(tmp_path, made, {**QUICK, "train.seeds": [5]}))["mean"]["val"]
    assert scores["zsl"] == {"top1": 100, "per_class": 100, "chance": 100}


def test_a_val_phase_with_fewer_seen_than_unseen_actions(tmp_path: Path) -> None:
    made = replace(SMALL, actions=12, unseen=(3, 5, 7, 12), val_unseen=(1, 2, 4, 6, 8, 9))  # 10 and 11 are left
    results = results_of(evaluated(tmp_path, made, {**QUICK, "train.seeds": [5]}))
    assert results["counts"]["val"]["seen_actions"] == 2
    assert 0 <= results["mean"]["val"]["gzsl"]["h"] <= 100


def test_a_backbone_that_knows_more_actions_is_masked(run: Context, tmp_path: Path) -> None:
    context = made_workspace(tmp_path, SMALL, QUICK)
    for phase in PHASES:
        path = context.workspace.features(phase)
        features = read_features(path)
        more = np.concatenate((np.full((len(features), 2), 1e3, dtype=np.float32), features.logits), axis=1)
        wider = replace(features, logits=more, logit_actions=np.concatenate(([3, 7], features.logit_actions)))
        write_features(path, wider, {**read_record(path), "transfer": "true"})
    for stage in ("train", "evaluate"):
        stage_named(stage).run(context)
    assert results_of(context)["seeds"] == results_of(run)["seeds"]
    assert results_of(context)["transfer"] is True


def test_a_seen_action_without_a_logit_is_named(run: Context, tmp_path: Path) -> None:
    context = made_workspace(tmp_path, SMALL, {**QUICK, "train.seeds": [5]})
    stage_named("train").run(context)
    path = context.workspace.features("test")
    features = read_features(path)
    record = read_record(path)
    cut = replace(features, logits=features.logits[:, 1:], logit_actions=features.logit_actions[1:])
    write_features(path, cut, record)
    with pytest.raises(DataError, match="no logit for A001"):
        stage_named("evaluate").run(context)


def test_a_headline_rule_of_ones_own(run: Context, tmp_path: Path) -> None:
    context = evaluated(tmp_path, SMALL, {**QUICK, "train.seeds": [5], "evaluate.selection": "oracle"})
    assert results_of(context)["selection"] == "oracle"
    assert results_of(context)["seeds"]["5"] == results_of(run)["seeds"]["5"]


PREDICTABLE = Made(actions=40)
TRAINED_WELL: dict[str, object] = {
    "train.workers": 1,
    "train.cycles": 2,
    "train.steps_per_cycle": 400,
    "train.learning_rate": 3e-3,
    "train.alpha": 0.05,
    "model.latent": 16,
    "evaluate.classifier.samples": 100,
    "evaluate.classifier.learning_rate": 0.01,
}


@pytest.mark.slow
def test_actions_that_texts_predict_are_recognised(tmp_path: Path) -> None:
    mean = results_of(evaluated(tmp_path, PREDICTABLE, {**TRAINED_WELL, "train.seeds": [5, 6]}))["mean"]["val"]
    assert mean["zsl"]["top1"] >= 95
    assert mean["gzsl"]["h"] >= 90


@pytest.mark.slow
def test_texts_of_other_actions_are_worth_no_more_than_chance(tmp_path: Path) -> None:
    top1 = []
    for seed in range(3):  # five unseen actions: one shuffle alone may be lucky
        made = replace(PREDICTABLE, shuffle_texts=True, seed=seed)
        settings = {**TRAINED_WELL, "train.cycles": 1}
        top1.append(results_of(evaluated(tmp_path / str(seed), made, settings))["mean"]["last"]["zsl"]["top1"])
    assert np.mean(top1) == pytest.approx(20, abs=15)
