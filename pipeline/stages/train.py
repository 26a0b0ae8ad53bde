"""The stage `train`: an aligner for every seed in both phases -> runs/NAME/.

It reads training clips only. It writes config.toml (all settings), environment.json and history.csv, and last
model.safetensors: when that file exists, the run is whole.
"""

import csv
import json
import os
import platform
import shutil
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch

from data.phase_names import PHASES, PhaseName
from data.stores.feature_store import FeatureSet
from data.stores.files import replacing
from models.aligners.protocol import Aligner
from models.aligners.registry import make_aligner
from models.devices import torch_device
from models.fsvae.batches import TrainingData
from models.fsvae.settings import TrainSettings
from models.fsvae.training import HISTORY_COLUMNS, LossRow
from models.known_actions import KnownActions
from pipeline.messages.errors import PipelineError
from pipeline.messages.remaining import Remaining
from pipeline.phases.agreement import require_agreement
from pipeline.phases.features_and_texts import phase_and_clips, read_phases, split_in_use, text_matrix
from pipeline.phases.known_pairs import known_pairs
from pipeline.stages.inputs import features_and_text
from pipeline.stages.member import TrainedMember, load_member, save_member, trained_from
from pipeline.stages.parallel import worked_on
from pipeline.workspace.config import dump_config
from pipeline.workspace.context import Context
from pipeline.workspace.provenance import LEARNT_KNOWN, Provenance, package_versions
from pipeline.workspace.tensor_store import write_tensors


def train(context: Context, provenance: Provenance) -> None:
    """Train every member and write the run's folder. Raises DataError, PipelineError or ModelError.

    Members that an earlier try of the same training finished are not trained again.
    """
    settings = context.config.train
    if len(set(settings.seeds)) < len(settings.seeds):
        raise PipelineError(f"train.seeds = {list(settings.seeds)} lists a seed twice; each seed is one model")
    data = training_data(context)
    provenance.require_inputs(features_and_text(context))
    device = torch_device(context.config.device)
    members: list[TrainedMember] = []
    for member, resumed in _train_members(context, provenance, data, device):
        members.append(member)
        context.console.print(
            f"train: seed {member.seed}, {member.phase} phase: {_summary(member, settings)}"
            f"{' (earlier)' if resumed else ''} ({len(members)} of {len(settings.seeds) * len(PHASES)})",
            highlight=False,
        )
    _write_run(context, provenance, members, device, data["test"].known)
    shutil.rmtree(context.run.members)


def _summary(member: TrainedMember, settings: TrainSettings) -> str:
    """Say how a member was trained, for the screen."""
    if not member.history:
        return f"solved in {member.seconds:.2f} s"
    return (
        f"{settings.cycles} cycles of {settings.steps_per_cycle} steps in {member.seconds:.1f} s, "
        f"loss {member.history[-1]['total']:.4f}"
    )


def training_data(context: Context) -> dict[PhaseName, TrainingData]:
    """Return what each phase trains on: the training clips of its seen actions, and the texts of these actions."""
    features = read_phases(context)
    split = split_in_use(context.config, features)
    require_agreement(context, context.config, split, features)
    text_matrix(context, context.config.text.levels, split.actions)  # fails now if evaluate would lack a text later
    data: dict[PhaseName, TrainingData] = {}
    for name in PHASES:
        phase, clips = phase_and_clips(name, split, features[name])
        data[name] = TrainingData(
            skeletons=features[name].features[clips.fit],
            text_row=np.searchsorted(np.asarray(phase.seen), features[name].action[clips.fit]),
            texts=text_matrix(context, context.config.text.levels, phase.seen),
            known=_known(context, features[name]),
        )
    if known := data["test"].known:
        context.console.print(f"train: learns from {len(known.texts)} actions that the backbone knows, too")
    return data


def _known(context: Context, features: FeatureSet) -> KnownActions | None:
    """Return the known actions of the backbone; None where the features stay as given, which has no place for them."""
    if context.config.model.features == "given":
        return None
    return known_pairs(context, context.config.text.levels, features)


def _train_members(
    context: Context, provenance: Provenance, data: dict[PhaseName, TrainingData], device: torch.device
) -> Iterator[tuple[TrainedMember, bool]]:
    """Yield each member, in order, and whether an earlier try trained it.

    On a CPU, members are trained in several processes; on a GPU, one after another.
    """
    config, settings = context.config, context.config.train
    aligner = make_aligner(config.model, settings, config.evaluate.classifier)
    digest = trained_from(provenance, device.type)
    tasks = [
        (
            data[phase],
            aligner,
            seed,
            phase,
            device,
            context.run.member(seed, phase),
            digest,
            context.console.stderr and not context.console.quiet,
        )
        for seed in settings.seeds
        for phase in PHASES
    ]
    yield from worked_on(_train_one, tasks, settings.workers if device.type == "cpu" else 1)


def _train_one(
    data: TrainingData,
    aligner: Aligner,
    seed: int,
    phase: PhaseName,
    device: torch.device,
    path: Path,
    digest: str,
    talk: bool,
) -> tuple[TrainedMember, bool]:
    earlier = load_member(path, seed, phase, aligner.cycles, digest)
    if earlier:
        return earlier, True

    def report_cycle(cycle: int, row: LossRow) -> None:
        """Write a line to standard error, which is all that a worker process shares with the screen."""
        if talk:
            line = f"cycle {cycle}/{aligner.cycles}, loss {row['total']:.4f}{remaining.text(cycle)}"
            sys.stderr.write(f"  seed {seed}, {phase} phase: {line}\n")

    start, remaining = time.perf_counter(), Remaining(0, aligner.cycles)
    states, history = aligner.fit(data, (seed, PHASES.index(phase)), device, report_cycle)
    member = TrainedMember(seed, phase, states, history, time.perf_counter() - start)
    save_member(path, member, digest)
    return member, False


def _write_run(
    context: Context,
    provenance: Provenance,
    members: list[TrainedMember],
    device: torch.device,
    known: KnownActions | None,
) -> None:
    run = context.run
    with replacing(run.config) as partial:
        partial.write_text(dump_config(context.config), "utf-8")
    environment = {
        "versions": package_versions(),
        "device": str(device),
        "threads_a_member": 1,
        "cores": os.cpu_count(),
        "platform": platform.platform(),
        "machine": platform.machine(),
    }
    with replacing(run.environment) as partial:
        partial.write_text(json.dumps(environment, indent=2) + "\n", "utf-8")
    with replacing(run.history) as partial, partial.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, ("seed", "phase", *HISTORY_COLUMNS))
        writer.writeheader()
        for member in members:
            writer.writerows({"seed": member.seed, "phase": member.phase, **row} for row in member.history)
    tensors = {name: tensor for member in members for name, tensor in member.tensors().items()}
    learnt = {LEARNT_KNOWN: str(len(known.texts))} if known else {}
    write_tensors(run.model, tensors, {**provenance.record(), **learnt})
