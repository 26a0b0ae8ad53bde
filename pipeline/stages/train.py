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
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from data.phase_names import PHASES, PhaseName
from data.stores.feature_store import FeatureSet
from data.stores.files import replacing
from models.aligners.protocol import Aligner, fit_members, fits_at_once
from models.aligners.registry import make_aligner
from models.devices import torch_device
from models.fsvae.batches import TrainingData
from models.fsvae.training import HISTORY_COLUMNS, LossRow, Member
from models.known_actions import KnownActions
from pipeline.cluster.cluster import active
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


def train(context: Context, provenance: Provenance, together: bool | None = None) -> None:
    """Train every member and write the run's folder. Raises DataError, PipelineError or ModelError.

    Members that an earlier try of the same training finished are not trained again. `together` says whether the others
    are trained all at once; None = on a GPU, if the aligner can.
    """
    settings = context.config.train
    if len(set(settings.seeds)) < len(settings.seeds):
        raise PipelineError(f"train.seeds = {list(settings.seeds)} lists a seed twice; each seed is one model")
    data = training_data(context)
    provenance.require_inputs(features_and_text(context))
    device = torch_device(context.config.device)
    members: list[TrainedMember] = []
    for member, resumed in _train_members(context, provenance, data, device, together):
        members.append(member)
        context.console.print(
            f"train: seed {member.seed}, {member.phase} phase: {_summary(member)}"
            f"{' (earlier)' if resumed else ''} ({len(members)} of {len(settings.seeds) * len(PHASES)})",
            highlight=False,
        )
    _write_run(context, provenance, members, device, data["test"].known)
    shutil.rmtree(context.run.members)


def _summary(member: TrainedMember) -> str:
    """Say how a member was trained, for the screen."""
    if not member.history:
        return f"solved in {member.seconds:.2f} s"
    last = member.history[-1]
    return (
        f"{len(member.states)} cycles of {last['step'] + 1:.0f} steps in {member.seconds:.1f} s, "
        f"loss {last['total']:.4f}"
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


@dataclass(frozen=True)
class _Place:
    """Which member, and its file."""

    seed: int
    phase: PhaseName
    path: Path


def _train_members(
    context: Context,
    provenance: Provenance,
    data: dict[PhaseName, TrainingData],
    device: torch.device,
    together: bool | None,
) -> Iterator[tuple[TrainedMember, bool]]:
    """Yield each member, in order, and whether an earlier try trained it.

    Where they are not trained all at once, a CPU trains them in several processes, and a GPU one after another.
    """
    config, settings = context.config, context.config.train
    aligner = make_aligner(config.model, settings, config.evaluate.classifier)
    digest = trained_from(provenance, device.type)
    common = aligner, device, context.console.stderr and not context.console.quiet
    places = [_Place(seed, phase, context.run.member(seed, phase)) for seed in settings.seeds for phase in PHASES]
    if (cluster := active()) and not cluster.shared:
        yield from _train_elsewhere(data, places, digest, *common)
    elif fits_at_once(aligner, device) if together is None else together:
        context.console.print(
            f"train: {len(places)} seeds and phases at once on {device}; the time of each is its share of the whole",
            highlight=False,
        )
        for members in worked_on(_kept_or_trained, [(data, places, digest, *common)], 1):
            yield from members
    else:
        tasks = [(data[place.phase], place, digest, *common) for place in places]
        yield from worked_on(_kept_or_trained_one, tasks, settings.workers if device.type == "cpu" else 1)


def _train_elsewhere(
    data: Mapping[PhaseName, TrainingData], places: Sequence[_Place], digest: str, aligner: Aligner, *common: Any
) -> Iterator[tuple[TrainedMember, bool]]:
    """The same on workers that do not see the workspace: members are read and written here."""
    earlier = [load_member(place.path, place.seed, place.phase, aligner.cycles, digest) for place in places]
    missing = [place for place, member in zip(places, earlier, strict=True) if member is None]
    tasks = [(data[place.phase], place, aligner, *common) for place in missing]
    trained = worked_on(_trained_one, tasks, 1, sent="features and texts")
    for place, member in zip(places, earlier, strict=True):
        if member:
            yield member, True
        else:
            new = next(trained)
            save_member(place.path, new, digest)
            yield new, False


def _kept_or_trained_one(data: TrainingData, place: _Place, *common: Any) -> tuple[TrainedMember, bool]:
    [member] = _kept_or_trained({place.phase: data}, [place], *common)
    return member


def _kept_or_trained(
    data: Mapping[PhaseName, TrainingData],
    places: Sequence[_Place],
    digest: str,
    aligner: Aligner,
    device: torch.device,
    talk: bool,
) -> list[tuple[TrainedMember, bool]]:
    """Train those members of `places` that no earlier try trained, and save them. Return all."""
    earlier = [load_member(place.path, place.seed, place.phase, aligner.cycles, digest) for place in places]
    missing = [place for place, member in zip(places, earlier, strict=True) if member is None]
    new = _trained(data, missing, aligner, device, talk)
    for place, member in zip(missing, new, strict=True):
        save_member(place.path, member, digest)
    trained = iter(new)
    return [(member, True) if member else (next(trained), False) for member in earlier]


def _trained_one(data: TrainingData, place: _Place, *common: Any) -> TrainedMember:
    [member] = _trained({place.phase: data}, [place], *common)
    return member


def _trained(
    data: Mapping[PhaseName, TrainingData],
    places: Sequence[_Place],
    aligner: Aligner,
    device: torch.device,
    talk: bool,
) -> list[TrainedMember]:
    """Train the members of `places`."""

    def say(line: str) -> None:
        """Write to standard error, which is all that a worker process shares with the screen."""
        if talk:
            sys.stderr.write(f"{line}\n")

    members = [
        Member(data[place.phase], (place.seed, PHASES.index(place.phase)), _told(place, aligner.cycles, say))
        for place in places
    ]
    start = time.perf_counter()
    fitted = fit_members(aligner, members, device, lambda message: say(f"train: {message}"))
    seconds = (time.perf_counter() - start) / max(1, len(places))
    return [TrainedMember(place.seed, place.phase, *of, seconds) for place, of in zip(places, fitted, strict=True)]


def _told(place: _Place, cycles: int, say: Callable[[str], None]) -> Callable[[int, LossRow], None]:
    """What says after each cycle how far a member is."""
    remaining = Remaining(0, cycles)

    def report_cycle(cycle: int, row: LossRow) -> None:
        line = f"cycle {cycle}/{cycles}, loss {row['total']:.4f}{remaining.text(cycle)}"
        say(f"  seed {place.seed}, {place.phase} phase: {line}")

    return report_cycle


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
        logged = dict.fromkeys(column for member in members for row in member.history for column in row)
        writer = csv.DictWriter(file, ("seed", "phase", *(logged or HISTORY_COLUMNS)))
        writer.writeheader()
        for member in members:
            writer.writerows({"seed": member.seed, "phase": member.phase, **row} for row in member.history)
    tensors = {name: tensor for member in members for name, tensor in member.tensors().items()}
    learnt = {LEARNT_KNOWN: str(len(known.texts))} if known else {}
    write_tensors(run.model, tensors, {**provenance.record(), **learnt})
