"""The stage train: what it writes, that it never looks at test clips, and that members do not touch each other."""

import csv
import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import torch
from safetensors.numpy import load_file

import models.aligners.fsvae as fsvae_aligner
import pipeline.stages.train as train_stage
from data.errors import DataError
from data.phase_names import PHASES
from data.stores import h5
from data.stores.feature_store import read_features, write_features
from data.stores.h5 import read_record
from data.stores.text_store import read_text_features, write_text_features
from models.aligners.fsvae import FSVAEAligner
from models.aligners.protocol import State, fits_at_once
from models.aligners.registry import make_aligner
from models.errors import ModelError
from models.fsvae.training import LossRow, train_member
from models.text.settings import TextSettings
from pipeline.messages.errors import PipelineError
from pipeline.phases.features_and_texts import text_matrix
from pipeline.running.staleness import stage_state
from pipeline.stages.member import TrainedMember, save_member, trained_from
from pipeline.stages.table import stage_named
from pipeline.workspace.config import build_config, load_config
from pipeline.workspace.context import Context
from pipeline.workspace.provenance import read_record as read_any_record
from tests.shared.made_features import Made, made_workspace

SMALL = Made(actions=10, unseen=(3, 7), val_unseen=(2, 9), train_clips=8, test_clips=4, features=12, text=5)
LEVELS = TextSettings().levels
QUICK = {
    "train.workers": 1,
    "train.seeds": [5, 6],
    "train.cycles": 2,
    "train.steps_per_cycle": 20,
    "train.batch_size": 16,
    "model.latent": 3,
}


def trained(root: Path, **settings: object) -> Context:
    context = made_workspace(root, SMALL, {**QUICK, **{key.replace("__", "."): settings[key] for key in settings}})
    stage_named("train").run(context)
    return context


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Context:
    return trained(tmp_path_factory.mktemp("run"))


def test_weights_of_every_seed_phase_and_cycle(run: Context) -> None:
    names = set(load_file(run.run.model))
    members = {"/".join(name.split("/")[:3]) for name in names}
    assert members == {f"{seed}/{phase}/{cycle}" for seed in (5, 6) for phase in PHASES for cycle in (1, 2)}
    assert "5/test/1/skeleton.encoder.weight" in names
    assert "5/test/1/skeleton.decoder.weight" in names  # which evaluate names clips with
    assert "6/val/2/text.decoder.bias" in names
    assert "6/val/2/skeleton_frequency.weight" in names


def test_the_folder_explains_itself(run: Context) -> None:
    assert load_config(run.run.config) == run.config
    environment = json.loads(run.run.environment.read_text("utf-8"))
    assert environment["device"] == "cpu"
    assert "torch" in environment["versions"]
    with run.run.history.open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert {(row["seed"], row["phase"], row["cycle"]) for row in rows} == {
        (seed, phase, cycle) for seed in ("5", "6") for phase in PHASES for cycle in ("1", "2")
    }
    assert float(rows[0]["total"]) > 0
    record = read_any_record(run.run.model)
    assert record["stage"] == "train"
    assert len(record["fingerprint"]) == 64
    assert stage_state(stage_named("train"), run, {}).state == "done"


def test_messages_tell_each_member(tmp_path: Path) -> None:
    context = trained(tmp_path, train__seeds=[7])
    printed = context.console.file.getvalue()  # type: ignore[attr-defined]
    assert "seed 7, test phase: 2 cycles of 20 steps" in printed
    assert "(2 of 2)" in printed


def test_a_seed_alone_is_the_seed_among_others(run: Context, tmp_path: Path) -> None:
    alone, among = load_file(trained(tmp_path, train__seeds=[6]).run.model), load_file(run.run.model)
    assert all(np.array_equal(alone[name], among[name]) for name in alone)


@pytest.mark.slow
def test_the_number_of_workers_changes_no_bit(run: Context, tmp_path: Path) -> None:
    context = trained(tmp_path, train__workers=2)
    assert read_any_record(context.run.model)["fingerprint"] == read_any_record(run.run.model)["fingerprint"]


def test_test_clips_are_never_looked_at(run: Context, tmp_path: Path) -> None:
    context = made_workspace(tmp_path, SMALL, QUICK)
    for phase in PHASES:
        path = context.workspace.features(phase)
        features = read_features(path)
        noise = np.random.default_rng(0).normal(1e3, 1, features.features.shape)
        other = np.where(features.train[:, None], features.features, noise).astype(np.float32)
        write_features(path, replace(features, features=other), read_record(path))
    stage_named("train").run(context)
    assert read_any_record(context.run.model)["fingerprint"] == read_any_record(run.run.model)["fingerprint"]


def test_nan_features_are_named(tmp_path: Path) -> None:
    context = made_workspace(tmp_path, SMALL, QUICK)
    path = context.workspace.features("val")
    features = read_features(path)
    features.features[17, 3] = np.nan
    write_features(path, features, read_record(path))
    with pytest.raises(DataError, match=f"features of 1 clips hold NaN.*{features.name[17]}.*fsvae-pipe extract"):
        stage_named("train").run(context)
    assert not context.run.root.exists()


def test_an_action_without_a_training_clip_is_named(tmp_path: Path) -> None:
    context = made_workspace(tmp_path, SMALL, QUICK)
    path = context.workspace.features("test")
    features = read_features(path)
    write_features(path, replace(features, train=features.train & (features.action != 4)), read_record(path))
    with pytest.raises(DataError, match="A004"):
        stage_named("train").run(context)


def test_texts_are_joined_in_the_order_of_the_levels(tmp_path: Path) -> None:
    context = made_workspace(tmp_path, SMALL, QUICK)
    own, published = (text_matrix(context, levels, [3, 5]) for levels in (LEVELS, ("label", "global", "local")))
    label, local, world = np.split(own, 3, axis=1)
    np.testing.assert_array_equal(published, np.concatenate((label, world, local), axis=1))


def test_a_level_that_was_not_embedded_is_named(tmp_path: Path) -> None:
    context = made_workspace(tmp_path, SMALL, QUICK)
    with h5py.File(context.workspace.text, "r+") as file:
        del file["local"]
        file.attrs["fingerprint"] = h5.fingerprint(file)
    with pytest.raises(DataError, match=r"asks for local.*embed-text"):
        stage_named("train").run(context)


def test_text_features_that_are_the_same_for_all_actions_are_refused(tmp_path: Path) -> None:
    context = made_workspace(tmp_path, SMALL, QUICK)
    with h5py.File(context.workspace.text, "r+") as file:
        for level in LEVELS:
            file[level][...] = file[level][0]
        file.attrs["fingerprint"] = h5.fingerprint(file)
    with pytest.raises(DataError, match=r"text\.h5: A001, .* have the same text features"):
        stage_named("train").run(context)


def test_a_text_that_only_evaluate_needs_is_missed_before_training(tmp_path: Path) -> None:
    context = made_workspace(tmp_path, SMALL, QUICK)
    text = read_text_features(context.workspace.text)
    left = text.action != 3  # unseen in the test phase
    fewer = replace(
        text,
        action=text.action[left],
        features={level: rows[left] for level, rows in text.features.items()},
        texts={level: rows[left] for level, rows in text.texts.items()},
    )
    write_text_features(context.workspace.text, fewer, read_record(context.workspace.text))
    with pytest.raises(DataError, match="no text of A003"):
        stage_named("train").run(context)
    assert not context.run.members.exists()


def test_a_seed_twice_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(PipelineError, match="twice"):
        trained(tmp_path, train__seeds=[5, 5])


def test_a_diverging_run_leaves_no_weights(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="learning_rate"):
        trained(tmp_path, train__learning_rate=1e12)
    assert not (tmp_path / "runs/default/model.safetensors").exists()


def test_training_goes_on_where_it_was_broken_off(
    run: Context, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = train_member
    trained_seeds: list[tuple[int, ...]] = []

    def breaks_in_seed_6(*arguments: Any) -> Any:
        if arguments[3][0] == 6 and len(trained_seeds) == 2:
            raise KeyboardInterrupt
        trained_seeds.append(arguments[3])
        return whole(*arguments)

    monkeypatch.setattr(fsvae_aligner, "train_member", breaks_in_seed_6)
    with pytest.raises(KeyboardInterrupt):
        trained(tmp_path)
    context = made_workspace(tmp_path, SMALL, QUICK)
    assert not context.run.model.exists()
    monkeypatch.setattr(fsvae_aligner, "train_member", whole)
    stage_named("train").run(context)
    assert context.console.file.getvalue().count("(earlier)") == 2  # type: ignore[attr-defined]
    assert read_any_record(context.run.model)["fingerprint"] == read_any_record(run.run.model)["fingerprint"]
    assert not context.run.members.exists()


def trained_at_once(context: Context) -> str:
    """Train all members at once, as a GPU does. Return what was printed."""
    train_stage.train(context, stage_named("train").provenance(context), together=True)
    return context.console.file.getvalue()  # type: ignore[attr-defined, no-any-return]


def test_all_members_at_once_are_those_of_each_alone(run: Context, tmp_path: Path) -> None:
    context = made_workspace(tmp_path, SMALL, QUICK)
    printed = trained_at_once(context)
    assert "train: 4 seeds and phases at once on cpu" in printed
    assert printed.count("2 cycles of 20 steps in") == 4
    once, alone = load_file(context.run.model), load_file(run.run.model)
    assert set(once) == set(alone)
    for name, tensor in alone.items():
        np.testing.assert_allclose(once[name], tensor, rtol=1e-4, atol=1e-5)
    columns = [np.loadtxt(of.run.history, str, delimiter=",").T for of in (context, run)]
    for column, expected in zip(*columns, strict=True):
        if column[0] in ("seed", "phase", "cycle", "step"):
            assert np.array_equal(column, expected)
        else:
            np.testing.assert_allclose(column[1:].astype(float), expected[1:].astype(float), rtol=1e-4)


def test_at_once_only_members_that_are_missing_are_trained(
    run: Context, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    context = made_workspace(tmp_path, SMALL, QUICK)
    monkeypatch.setattr(train_stage, "_write_run", lambda *_: None)  # it was broken off after the members
    monkeypatch.setattr(shutil, "rmtree", lambda _: None)
    trained_at_once(context)
    context.run.member(5, "val").unlink()
    monkeypatch.undo()
    lines = [line for line in trained_at_once(context).splitlines() if "phase:" in line][4:]
    assert ["(earlier)" in line for line in lines] == [True, False, True, True]
    assert not context.run.members.exists()
    once, alone = load_file(context.run.model), load_file(run.run.model)
    for name, tensor in alone.items():
        np.testing.assert_allclose(once[name], tensor, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("device", "aligner", "expected"),
    [("cpu", "fsvae", False), ("cuda", "fsvae", True), ("mps", "fsvae", True), ("cuda", "ridge", False)],
)
def test_a_gpu_trains_all_members_at_once_if_the_aligner_can(device: str, aligner: str, expected: bool) -> None:
    config = build_config({"model": {"aligner": aligner}}, "test")
    made = make_aligner(config.model, config.train, config.evaluate.classifier)
    assert fits_at_once(made, torch.device(device)) == expected


def test_on_a_cpu_members_are_trained_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(FSVAEAligner, "fit_members", None)  # can't be called
    assert "at once" not in trained(tmp_path).console.file.getvalue()  # type: ignore[attr-defined]


def test_members_of_other_settings_are_trained_anew(run: Context, tmp_path: Path) -> None:
    context = made_workspace(tmp_path, SMALL, QUICK)
    other = trained_from(replace(stage_named("train").provenance(context), inputs={}), "cpu")
    for phase in PHASES:
        states = [{"skeleton.encoder.bias": torch.ones(6)} for _ in range(2)]
        save_member(context.run.member(5, phase), TrainedMember(5, phase, states, [], 0.0), other)
    context.run.member(6, "test").write_bytes(b"cut short")
    stage_named("train").run(context)
    assert read_any_record(context.run.model)["fingerprint"] == read_any_record(run.run.model)["fingerprint"]


class Contrastive(FSVAEAligner):
    """An aligner with a loss of its own, and with steps of its own."""

    def fit(self, *_: object) -> tuple[list[State], list[LossRow]]:
        rows = [{"cycle": c, "step": 4, "contrastive": 0.25 * c, "total": 0.5 * c} for c in range(1, self.cycles + 1)]
        return [{"weight": torch.ones(2)} for _ in rows], rows


def test_an_aligner_logs_losses_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(train_stage, "make_aligner", Contrastive)
    context = trained(tmp_path)
    with context.run.history.open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert rows[1] == {"seed": "5", "phase": "test", "cycle": "2", "step": "4", "contrastive": "0.5", "total": "1.0"}
    assert len(rows) == 8
    printed = context.console.file.getvalue()  # type: ignore[attr-defined]
    assert "2 cycles of 5 steps" in printed
