"""skeletons.h5 -> features/test.h5 and features/val.h5: what each phase's Shift-GCN makes of every clip."""

import json

import numpy as np
from numpy.typing import NDArray
from rich.progress import Progress

from data.feature_store import FeatureSet, write_features
from data.skeleton_store import SkeletonStore
from data.splits import resolve_split, training_clips
from models.backbone_checkpoint import load_network, network_fingerprint
from models.backbone_features import clip_features
from models.backbone_training import best_epoch
from models.devices import make_accelerator
from models.shift_gcn import ShiftGCN
from pipeline.backbone_stage import BackboneClips, batch_loader, phase_backbone
from pipeline.context import Context
from pipeline.errors import PipelineError
from pipeline.phases import Phase, phase_of, require_clips
from pipeline.provenance import BACKBONE, Provenance
from pipeline.texts_in_use import require_texts
from pipeline.workspace import PHASES

FEATURE_BATCH = 16


def extract(context: Context, provenance: Provenance) -> None:
    """Train (or load) a backbone a phase and write the features and logits of every clip."""
    config = context.config
    with SkeletonStore(context.workspace.skeletons) as store:
        split = resolve_split(config.dataset, np.unique(store.action).tolist(), config.seed)
        require_texts(context, split.actions)
        train = training_clips(config.dataset, store.setup, store.camera, store.subject)
        for name in PHASES:
            phase = phase_of(name, split)
            require_clips(phase, store.action[train])
        held_out = choose_held_out(store.action, store.subject, train, config.backbone.held_out, config.seed)
        accelerator = make_accelerator(config.device, config.backbone.precision)
        for name in PHASES:
            phase = phase_of(name, split)
            seen = np.isin(store.action, phase.seen)
            record = provenance.record()
            if config.backbone.weights:
                network, columns = given_network(context, phase)
                network = network.to(accelerator.device)
                record["transfer"] = "true"
            else:
                clips = BackboneClips(train & ~held_out & seen, held_out & seen)
                network, reports = phase_backbone(
                    context, phase, clips, store, provenance.inputs["skeletons.h5"], accelerator
                )
                best = reports[best_epoch(reports) - 1]
                context.console.print(f"{name} phase: held-out top-1 {best.top1:.1f} %, top-5 {best.top5:.1f} %")
                record |= {"transfer": "false", "held_out_accuracy": json.dumps({"top1": best.top1, "top5": best.top5})}
                columns = np.arange(len(phase.seen))
            record[BACKBONE] = network_fingerprint(network)
            if accelerator.is_main_process:
                features, logits = _all_clips(context, store, network, name)
                found = FeatureSet(
                    store.name, store.action, train, held_out, features, logits[:, columns], np.asarray(phase.seen)
                )
                write_features(context.workspace.features(name), found, record)
            accelerator.wait_for_everyone()


def _all_clips(
    context: Context, store: SkeletonStore, network: ShiftGCN, name: str
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    load_batch = batch_loader(store, context.config.backbone.frames)
    with Progress(console=context.console, transient=True) as progress:
        task = progress.add_task(f"{name} phase: features", total=len(store))
        return clip_features(
            network, np.arange(len(store)), load_batch, FEATURE_BATCH, lambda clips: progress.advance(task, clips)
        )


def choose_held_out(
    action: NDArray[np.int64], subject: NDArray[np.int64], train: NDArray[np.bool_], share: float, seed: int
) -> NDArray[np.bool_]:
    """Which of the `train` clips the backbones do not train on: (n,), about `share` of them, the same in both phases.

    Whole subjects, drawn by `seed`, when `share` of the training subjects is at least one (rounded) and every action
    keeps clips of others; else `share` of each action's clips, drawn by `seed`, one at least and never all.
    """
    generator = np.random.default_rng(seed)
    subjects = np.unique(subject[train])
    number = round(share * len(subjects))
    if number >= 1:
        held_out = train & np.isin(subject, generator.permutation(subjects)[:number])
        if set(action[train & ~held_out]) == set(action[train]):
            return held_out
    held_out = np.zeros_like(train)
    for wanted in np.unique(action[train]):
        clips = np.flatnonzero(train & (action == wanted))
        count = min(int(np.ceil(share * len(clips))), len(clips) - 1)
        held_out[generator.permutation(clips)[:count]] = True
    return held_out


def given_network(context: Context, phase: Phase) -> tuple[ShiftGCN, NDArray[np.int64]]:
    """The network of `backbone.weights`, and the columns of its logits that are the phase's seen actions."""
    weights = context.config.backbone.weights
    network = load_network(context.user_path(weights))
    if network.fc.out_features < max(phase.actions):
        raise PipelineError(
            f"backbone.weights = {weights} tells {network.fc.out_features} actions apart, but the data set has "
            f"A{max(phase.actions):03d}"
        )
    return network, np.asarray(phase.seen) - 1
