"""The backbone of one phase: trained, trained further after a stop, or read from an earlier run of `extract`.

backbones/PHASE.safetensors has its own record. It names the settings of training and the clips that train, with their
contents. A backbone is trained again only when one of these changed. While it trains, a file beside it,
PHASE.training.safetensors, holds the state of training and is replaced after every epoch.
"""

import hashlib
import json
import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from accelerate import Accelerator
from numpy.typing import NDArray

from data.errors import DataError, UnavailableFileError
from data.stores.files import replacing, sealed
from data.stores.skeleton_store import SkeletonStore
from models.backbone.checkpoint import load_network, save_network
from models.backbone.features import LoadBatch
from models.backbone.networks import network_class
from models.backbone.protocol import Backbone
from models.backbone.settings import BackboneSettings
from models.backbone.state import EpochReport, TrainingState, best_epoch, reports_from_text, reports_to_text
from models.backbone.training import TrainingClips, train_backbone
from models.errors import ModelError
from pipeline.messages.errors import PipelineError
from pipeline.messages.remaining import Remaining
from pipeline.phases.phase import Phase
from pipeline.workspace.context import Context
from pipeline.workspace.provenance import Provenance, read_record
from pipeline.workspace.tensor_store import read_tensors, require_as_written, write_tensors

STAGE = "backbone"
VERSION = 2


@dataclass(frozen=True)
class PhaseTraining:
    """The clips that one phase's backbone trains on, and those it is measured on: masks (n,) over skeletons.h5."""

    phase: Phase
    fit: NDArray[np.bool_]
    held_out: NDArray[np.bool_]
    skeletons: str  # the fingerprint of skeletons.h5

    def provenance(self, context: Context) -> Provenance:
        """Return what the weights depend on. The features depend on more; nothing here is of the other phase."""
        backbone = context.config.backbone.model_dump(mode="json", exclude={"weights", "known", "held_out"})
        settings = {f"backbone.{key}": value for key, value in backbone.items()}
        settings |= {"seed": context.config.seed, "actions": list(self.phase.seen)}
        chosen = hashlib.sha256(self.fit.tobytes() + self.held_out.tobytes()).hexdigest()
        return Provenance(STAGE, VERSION, settings, {"skeletons.h5": self.skeletons, "clips": chosen})

    def clips(self, store: SkeletonStore, frames: int) -> TrainingClips:
        """Return these clips in the form that the training loop takes. Classes are the phase's seen actions, sorted."""
        fit, held_out = (np.flatnonzero(mask) for mask in (self.fit, self.held_out))
        fit_class, held_out_class = (np.searchsorted(self.phase.seen, store.action[part]) for part in (fit, held_out))
        return TrainingClips(
            fit, fit_class, held_out, held_out_class, len(self.phase.seen), batch_loader(store, frames)
        )


def trained_backbone(
    context: Context, training: PhaseTraining, store: SkeletonStore, accelerator: Accelerator
) -> tuple[Backbone, EpochReport]:
    """Return the network of a phase and the report of the epoch that its weights are from.

    Trains the network, unless a finished one is on disk.
    """
    settings, phase = context.config.backbone, training.phase
    path, partial = context.workspace.backbone(phase.name), context.workspace.backbone_training(phase.name)
    provenance = training.provenance(context)
    done = _read_finished(path, provenance, settings)
    accelerator.wait_for_everyone()  # before one process may change what another one reads
    if done is not None:
        network, report = done
        context.console.print(f"{phase.name} phase: the backbone is there already; {accuracy_line(report)}")
        return network.to(accelerator.device), report
    state = _read_interrupted(partial, provenance)
    begun = f", continued after epoch {len(state.reports)}" if state else ""
    title = network_class(settings.network).title
    context.console.print(
        f"{phase.name} phase: training a {title} on {training.fit.sum()} clips of {len(phase.seen)} actions, "
        f"{training.held_out.sum()} held out, {settings.epochs} epochs{begun}"
    )

    def after_epoch(state: TrainingState) -> None:
        left = remaining.text(len(state.reports))
        context.console.print(f"{epoch_line(state.reports[-1], settings.epochs)}{left}")
        if accelerator.is_main_process:
            write_tensors(partial, state.tensors(), {**provenance.record(), **state.metadata()})

    clips = training.clips(store, settings.frames)
    remaining = Remaining(len(state.reports) if state else 0, settings.epochs)
    network, reports = train_backbone(clips, settings, context.config.seed, accelerator, state, after_epoch)
    report = reports[-1] if settings.keep == "last" else reports[best_epoch(reports) - 1]
    context.console.print(f"{phase.name} phase: kept epoch {report.epoch}; {accuracy_line(report)}")
    if accelerator.is_main_process:
        metadata = {
            "dataset": context.config.dataset.name,
            "actions": json.dumps(list(phase.seen)),
            "kept_epoch": str(report.epoch),
            "reports": reports_to_text(reports),
        }
        with replacing(path) as file:
            save_network(file, network, sealed({**provenance.record(), **metadata}))
        partial.unlink(missing_ok=True)
    accelerator.wait_for_everyone()
    return network, report


def accuracy_line(report: EpochReport) -> str:
    """The accuracy of a kept epoch, as one line for the screen."""
    worst = min((value for value in report.per_class if not math.isnan(value)), default=math.nan)
    return f"held out: top-1 {report.top1:.1f} %, top-5 {report.top5:.1f} %, worst class {worst:.1f} %"


def epoch_line(report: EpochReport, epochs: int) -> str:
    """The accuracy of one epoch, as one line for the screen."""
    return (
        f"  epoch {report.epoch:3d}/{epochs}  loss {report.loss:.3f}  training {report.train_top1:5.1f} %  "
        f"held out: top-1 {report.top1:5.1f} %, top-5 {report.top5:5.1f} %"
    )


def batch_loader(store: SkeletonStore, frames: int) -> LoadBatch:
    """Return a function that reads clips of `store`, looped or sampled down to `frames` frames."""
    return lambda clips: store.batch(clips, frames)


def _read_finished(
    path: Path, provenance: Provenance, settings: BackboneSettings
) -> tuple[Backbone, EpochReport] | None:
    """Return the network in `path` and the report of its epoch, if it was trained as `provenance` says; else None."""
    record = _matching_record(path, provenance)
    if record is None:
        return None
    try:
        require_as_written(path)
        return load_network(path, settings), reports_from_text(record["reports"])[int(record["kept_epoch"]) - 1]
    except UnavailableFileError:
        raise  # it may be whole, and took hours
    except (DataError, ModelError, KeyError, ValueError, IndexError, TypeError):
        return None  # damaged: train it again


def _read_interrupted(path: Path, provenance: Provenance) -> TrainingState | None:
    """Return the state of training in `path`, if it was begun as `provenance` says; else None."""
    record = _matching_record(path, provenance)
    if record is None:
        return None
    try:
        require_as_written(path)
        return TrainingState.from_saved(read_tensors(path), record)
    except UnavailableFileError:
        raise
    except (DataError, KeyError, ValueError, TypeError):
        return None  # damaged: start from the beginning


def _matching_record(path: Path, provenance: Provenance) -> dict[str, str] | None:
    try:
        record = read_record(path)
        earlier = Provenance.from_record(record)
    except UnavailableFileError:
        raise
    except (DataError, PipelineError):
        return None
    return None if any(provenance.changes_from(earlier)) else record
