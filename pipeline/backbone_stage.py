"""One phase's Shift-GCN: trained, continued, or found as it was left.

backbones/PHASE.safetensors has a record of its own (settings of training, the clips that train, their contents), so
that a phase whose backbone is still right is not trained again. After every epoch the state of training stands beside it.
"""

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from accelerate import Accelerator
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from data.errors import DataError
from data.files import replacing
from data.skeleton_store import SkeletonStore
from models.backbone_checkpoint import load_network, save_network
from models.backbone_features import LoadBatch
from models.backbone_training import EpochReport, TrainingClips, TrainingState, best_epoch, train_backbone
from models.errors import ModelError
from models.shift_gcn import ShiftGCN
from pipeline.context import Context
from pipeline.errors import PipelineError
from pipeline.phases import Phase
from pipeline.provenance import Provenance, read_record

STAGE = "backbone"
VERSION = 1


@dataclass(frozen=True)
class BackboneClips:
    """Masks over the clips of skeletons.h5, each (n,): what one phase's backbone trains on, and is measured on."""

    fit: NDArray[np.bool_]
    held_out: NDArray[np.bool_]


def phase_backbone(
    context: Context, phase: Phase, clips: BackboneClips, store: SkeletonStore, skeletons: str, accelerator: Accelerator
) -> tuple[ShiftGCN, list[EpochReport]]:
    """The network of `phase`, trained unless it stands already; `skeletons` is the fingerprint of skeletons.h5.

    Classes are the phase's seen actions, in order.
    """
    path = context.workspace.backbone(phase.name)
    provenance = _provenance(context, phase, clips, skeletons)
    done = _finished(path, provenance)
    if done is not None:
        context.console.print(f"{phase.name} phase: the backbone is up to date")
        return done
    settings = context.config.backbone
    training = _training_clips(phase, clips, store, settings.frames)
    partial = context.workspace.backbone_training(phase.name)
    state = _interrupted(partial, provenance)
    begun = f", continued after epoch {len(state.reports)}" if state else ""
    context.console.print(
        f"{phase.name} phase: training a Shift-GCN on {len(training.fit)} clips of {len(phase.seen)} actions, "
        f"{len(training.held_out)} held out, {settings.epochs} epochs{begun}"
    )

    def after_epoch(state: TrainingState) -> None:
        context.console.print(epoch_line(state.reports[-1], settings.epochs))
        if accelerator.is_main_process:
            with replacing(partial) as file:
                save_file(state.tensors(), file, {**provenance.record(), **state.metadata()})

    network, reports = train_backbone(training, settings, context.config.seed, accelerator, state, after_epoch)
    if accelerator.is_main_process:
        with replacing(path) as file:
            save_network(file, network, {**provenance.record(), **_metadata(phase, reports)})
        partial.unlink(missing_ok=True)
    accelerator.wait_for_everyone()
    return network, reports


def epoch_line(report: EpochReport, epochs: int) -> str:
    """One epoch for people."""
    return (
        f"  epoch {report.epoch:3d}/{epochs}  loss {report.loss:.3f}  training {report.train_top1:5.1f} %  "
        f"held out: top-1 {report.top1:5.1f} %, top-5 {report.top5:5.1f} %"
    )


def _training_clips(phase: Phase, clips: BackboneClips, store: SkeletonStore, frames: int) -> TrainingClips:
    fit, held_out = (np.flatnonzero(mask) for mask in (clips.fit, clips.held_out))
    classes = np.asarray(phase.seen)
    return TrainingClips(
        fit,
        np.searchsorted(classes, store.action[fit]),
        held_out,
        np.searchsorted(classes, store.action[held_out]),
        len(classes),
        batch_loader(store, frames),
    )


def batch_loader(store: SkeletonStore, frames: int) -> LoadBatch:
    """How models read clips of `store`."""
    return lambda clips: store.batch(clips, frames)


def _provenance(context: Context, phase: Phase, clips: BackboneClips, skeletons: str) -> Provenance:
    settings = {f"backbone.{key}": value for key, value in context.config.backbone.model_dump(mode="json").items()}
    settings |= {"seed": context.config.seed, "actions": list(phase.seen)}
    chosen = hashlib.sha256(clips.fit.tobytes() + clips.held_out.tobytes()).hexdigest()
    return Provenance(STAGE, VERSION, settings, {"skeletons.h5": skeletons, "clips": chosen})


def _metadata(phase: Phase, reports: list[EpochReport]) -> dict[str, str]:
    return {
        "actions": json.dumps(list(phase.seen)),
        "best_epoch": str(best_epoch(reports)),
        "reports": json.dumps([asdict(report) for report in reports]),
    }


def _finished(path: Path, provenance: Provenance) -> tuple[ShiftGCN, list[EpochReport]] | None:
    """The network in `path` when it was trained as `provenance` says."""
    record = _matching_record(path, provenance)
    if record is None:
        return None
    try:
        return load_network(path), TrainingState.from_saved({}, record).reports
    except ModelError:
        return None


def _interrupted(path: Path, provenance: Provenance) -> TrainingState | None:
    """The state of training in `path` when it was begun as `provenance` says."""
    record = _matching_record(path, provenance)
    if record is None:
        return None
    try:
        with safe_open(path, framework="pt") as file:
            return TrainingState.from_saved({name: file.get_tensor(name) for name in file.keys()}, record)  # noqa: SIM118
    except SafetensorError:
        return None


def _matching_record(path: Path, provenance: Provenance) -> dict[str, str] | None:
    try:
        record = read_record(path)
        earlier = Provenance.from_record(record)
    except (DataError, PipelineError):
        return None
    return None if any(provenance.changes_from(earlier)) else record
