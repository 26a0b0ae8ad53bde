"""skeletons.h5 -> features/test.h5 and features/val.h5: the features and logits of every clip, from each backbone.

To train on several GPUs, start it with `accelerate launch -m pipeline extract`. The first process writes the files.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from accelerate import Accelerator
from accelerate.utils import gather
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import Progress

from data.clean.body_size import body_sizes_m, wrong_size
from data.errors import DataError
from data.phase_names import PHASES, PhaseName
from data.protocols import list_name, training_clips
from data.splits import Split, action_label, resolve_split
from data.stores.feature_store import FeatureSet, Head, all_the_same, write_features
from data.stores.skeleton_store import SkeletonStore
from models.backbone.checkpoint import network_fingerprint
from models.backbone.features import clip_features
from models.backbone.protocol import Backbone
from models.devices import make_accelerator
from pipeline.cluster.cluster import active
from pipeline.messages.hints import complete_commands
from pipeline.phases.chance import CAUSES, WARNINGS, Causes, seen_warnings
from pipeline.phases.held_out import at_chance, choose_held_out
from pipeline.phases.phase import Phase, phase_of, require_clips, require_held_out
from pipeline.phases.texts_in_use import require_texts
from pipeline.stages.backbone import PhaseTraining, batch_loader, trained_backbone
from pipeline.stages.given_backbone import GivenBackbone, given_backbone
from pipeline.stages.inputs import skeletons_and_weights
from pipeline.workspace.config import Config
from pipeline.workspace.context import Context
from pipeline.workspace.folder import Workspace
from pipeline.workspace.provenance import BACKBONE, PHASE, Provenance

CLIPS_READ_AT_A_TIME = 64
CLIPS_MEASURED = 256  # to find the size of bodies
DIVERGED = "training diverged: lower backbone.learning_rate, or set backbone.clip_gradient = 1.0"


@dataclass(frozen=True)
class _Inputs:
    """The clips, the split and the given backbone, which both phases share."""

    store: SkeletonStore
    split: Split
    train: NDArray[np.bool_]  # (n,) the protocol's training part
    held_out: NDArray[np.bool_]  # (n,) the part of it that no backbone trains on
    given: GivenBackbone | None


def extract(context: Context, provenance: Provenance) -> None:
    """Train a backbone for each phase, or take the given one, and write the features and logits of every clip."""
    accelerator = make_accelerator(context.config.device, context.config.backbone.precision)
    if not accelerator.is_main_process:
        context = replace(context, console=Console(quiet=True))
    with SkeletonStore(context.workspace.skeletons) as store:
        store.require_as_written()
        inputs = _inputs(context, store)
        provenance.require_inputs(skeletons_and_weights(context))
        phases = _phases(context, provenance, inputs, accelerator)
        for name in PHASES:  # no variable holds the features of the first phase while the second one is computed
            _write(context, provenance, name, *next(phases), accelerator)


def _write(
    context: Context,
    provenance: Provenance,
    name: PhaseName,
    features: FeatureSet,
    record: dict[str, str],
    accelerator: Accelerator,
) -> None:
    """Write the features of one phase; the first of several processes does."""
    if accelerator.is_main_process:
        provenance.require_inputs(skeletons_and_weights(context))
        write_features(context.workspace.features(name), features, {**provenance.record(), **record})
    accelerator.wait_for_everyone()


def _phases(
    context: Context, provenance: Provenance, inputs: _Inputs, accelerator: Accelerator
) -> Iterator[tuple[FeatureSet, dict[str, str]]]:
    """Yield what `_phase_features` gives for each phase. Workers that see the clips take one phase each."""
    cluster = active()
    if cluster and not cluster.shared:
        cluster.say_not_shared("extract works on this machine")
    elif cluster:
        here = (context.workspace, context.config, context.config_path, provenance)
        tasks = [(*here, name, torch.get_num_threads()) for name in PHASES]
        yield from cluster.results(_phase_on_worker, tasks)
        return
    for name in PHASES:
        yield _phase_features(context, provenance, phase_of(name, inputs.split), inputs, accelerator)


def _phase_on_worker(
    workspace: Workspace, config: Config, config_path: Path, provenance: Provenance, name: PhaseName, threads: int
) -> tuple[FeatureSet, dict[str, str]]:
    """Compute one phase on a worker of a cluster, from the clips in the workspace.

    It uses as many threads as the program does without a cluster, because sums in training depend on their number.
    """
    torch.set_num_threads(threads)
    context = Context(workspace, config, config_path, Console(stderr=True, soft_wrap=True))
    accelerator = make_accelerator(config.device, config.backbone.precision)
    with SkeletonStore(workspace.skeletons) as store:
        inputs = _inputs(replace(context, console=Console(quiet=True)), store)  # the program itself has said it
        return _phase_features(context, provenance, phase_of(name, inputs.split), inputs, accelerator)


def _inputs(context: Context, store: SkeletonStore) -> _Inputs:
    """Read and check all that extract needs. A mistake must come to light here, before the hours of training."""
    config = context.config
    split = resolve_split(config.dataset, np.unique(store.action).tolist(), config.seed)
    if split.val_unseen_drawn:
        drawn = ", ".join(action_label(action) for action in split.val_unseen)
        context.console.print(f"split {split.name}: pseudo-unseen actions drawn by seed {config.seed}: {drawn}")
    require_texts(context, split.actions)
    train = training_clips(config.dataset, store.setup, store.camera, store.subject, context.paths_from)
    groups = store.setup if list_name(config.dataset) else store.subject  # a clip's other views are held out with it
    held_out = choose_held_out(store.action, groups, train, config.backbone.held_out, config.seed)
    for name in PHASES:
        require_clips(phase_of(name, split), store.action[train & ~held_out])
        require_held_out(phase_of(name, split), store.action[held_out])
    given = given_backbone(context) if config.backbone.weights else None
    if given and given.hint:
        context.console.print(given.hint, markup=False, highlight=False)
    return _Inputs(store, split, train, held_out, given)


def _phase_features(
    context: Context, provenance: Provenance, phase: Phase, inputs: _Inputs, accelerator: Accelerator
) -> tuple[FeatureSet, dict[str, str]]:
    """The contents of one phase's features file, and what its record says besides the stage's provenance."""
    store = inputs.store
    fit, held_out = (
        np.isin(store.action, phase.seen) & part for part in (inputs.train & ~inputs.held_out, inputs.held_out)
    )
    if inputs.given:
        network = inputs.given.network.to(accelerator.device)
        record = inputs.given.record(phase)
        if warning := inputs.given.warning(phase):
            _warn(context, warning)
    else:
        training = PhaseTraining(phase, fit, held_out, provenance.inputs["skeletons.h5"])
        network, best = trained_backbone(context, training, store, accelerator)
        if at_chance(best.top1, int(held_out.sum()), len(phase.seen)):
            _warn(context, complete_commands(nothing_learnt(context, phase, best.top1)))
        accuracy = {"epoch": best.epoch, "top1": best.top1, "top5": best.top5, "clips": int(held_out.sum())}
        record = {"transfer": "false", "backbone_saw": "[]", "held_out_accuracy": json.dumps(accuracy)}
    features, logits = _all_clips(context, store, network, phase, accelerator)
    bad = np.flatnonzero(~np.isfinite(features).all(axis=1) | ~np.isfinite(logits).all(axis=1))
    if len(bad):
        cause = (
            f"the weights in {context.config.backbone.weights} can't be right: get them again"
            if inputs.given
            else DIVERGED
        )
        raise DataError(
            f"{phase.name} phase: the backbone gives NaN or infinite features for {len(bad)} of {len(store)} clips, "
            f"the first {store.name[bad[0]]}; {cause}"
        )
    if wrong := all_the_same(features, store.action):
        advice = f"the weights in {context.config.backbone.weights} can't be right" if inputs.given else DIVERGED
        raise DataError(f"{phase.name} phase: {wrong}; {advice}")
    head = Head(*(part.detach().cpu().numpy() for part in (network.fc.weight, network.fc.bias)))
    if inputs.given:
        logits, head = inputs.given.of_phase(phase, features, logits, store.action, fit)
    found = FeatureSet(
        name=store.name,
        action=store.action,
        train=inputs.train,
        held_out=inputs.held_out,
        features=features,
        logits=logits,
        logit_actions=np.asarray(phase.seen, np.int64),
        head=head,
        known=inputs.given.known_weights() if inputs.given else None,
    )
    warnings = _seen_warnings(inputs, phase, found, fit, held_out)
    for warning in warnings:
        _warn(context, warning)
    if warnings:
        record[WARNINGS] = json.dumps(warnings)
    return found, {**record, PHASE: phase.name, BACKBONE: network_fingerprint(network)}


def _warn(context: Context, warning: str) -> None:
    context.console.print(f"warning: {warning}", style="yellow", markup=False)


def _seen_warnings(
    inputs: _Inputs, phase: Phase, features: FeatureSet, fit: NDArray[np.bool_], held_out: NDArray[np.bool_]
) -> list[str]:
    """What clips with known answers show against the features of a phase.

    A given backbone's own logits were fitted to none of these clips, so that they are measured on all training clips.
    Those of a trained one were measured by its training.
    """
    given = inputs.given
    if not given:
        return seen_warnings(phase, features, fit, np.zeros_like(fit), held_out, CAUSES["trained"])
    size = _wrong_size(inputs.store)
    causes = Causes(size, size) if size else CAUSES["given"]
    own_logits = given.knows(phase)
    measured = seen_warnings(phase, features, fit, fit | held_out if own_logits else held_out, held_out, causes)
    if size and not measured and not own_logits:
        return [
            f"{phase.name} phase: {size}; unless {given.name} was trained on bodies of this size, its features mean "
            "nothing"
        ]
    return measured


def _wrong_size(store: SkeletonStore) -> str:
    """Why the bodies of the clips can't be in metres; "" when they can be."""
    clips = np.unique(np.linspace(0, len(store) - 1, CLIPS_MEASURED).astype(np.int64))
    return wrong_size(body_sizes_m(store.batch(clips, 1)[:, :, 0, :, 0].transpose(0, 2, 1)))


def nothing_learnt(context: Context, phase: Phase, top1: float) -> str:
    """The warning about a backbone of `phase` whose held-out accuracy is no better than a guess."""
    backbone = context.config.backbone
    return (
        f"the backbone of the {phase.name} phase has learnt nothing yet: held-out top-1 is {top1:.1f} %, where a guess "
        f"among {len(phase.seen)} actions gives {100 / len(phase.seen):.1f} %; features and all results from them mean "
        f"nothing until that is mended. Look at backbone.epochs (now {backbone.epochs}), backbone.learning_rate (now "
        f"{backbone.learning_rate}), and whether raw clips are in metres: `fsvae-pipe show ACTION` checks that"
    )


def _all_clips(
    context: Context, store: SkeletonStore, network: Backbone, phase: Phase, accelerator: Accelerator
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Features and logits of every clip. Every process computes an equal share, and all get all of them."""
    load_batch = batch_loader(store, context.config.backbone.frames)
    share = -(-len(store) // accelerator.num_processes)
    start = accelerator.process_index * share
    mine = np.minimum(np.arange(start, start + share), len(store) - 1)  # the last process repeats the last clip
    with Progress(console=context.console, transient=True) as progress:
        task = progress.add_task(f"{phase.name} phase: features", total=len(mine))
        computed = clip_features(
            network, mine, load_batch, CLIPS_READ_AT_A_TIME, lambda clips: progress.advance(task, clips)
        )
    if accelerator.num_processes == 1:
        return computed
    features, logits = (gather(torch.from_numpy(part).to(accelerator.device)).cpu().numpy() for part in computed)
    return features[: len(store)], logits[: len(store)]
