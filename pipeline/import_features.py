"""Published feature folders -> features/test.h5, features/val.h5.

Training clips come from train.npy; scored are gtest.npy (test phase), and val.npy with ztest.npy (val phase).
train.npy comes without logits. Its clips get zeros, which nothing reads: only scored clips' logits are used.
"""

from collections.abc import Collection, Sequence
from pathlib import Path

import numpy as np

from data.errors import DataError
from data.feature_store import FeatureSet, read_features, write_features
from data.npy_file import sha256_of
from data.published_features import Part, PublishedPhase, folder_files, phase_of_folder, read_folder, unmatched
from data.splits import CUSTOM, Split, action_label, resolve_split
from pipeline.context import Context
from pipeline.errors import PipelineError
from pipeline.phases import Phase, missing, phase_clips, phase_of
from pipeline.provenance import Provenance
from pipeline.status import IMPORT
from pipeline.workspace import PHASES

SETTINGS = ("dataset.name", "dataset.split", "dataset.unseen", "dataset.val_unseen")
NOTE = "import_note"  # in the root attributes, when there is something that a reader of results should know


def import_features(context: Context, folders: Sequence[Path]) -> list[str]:
    """Check and write what `folders` hold, a phase each; return what was done, a line each.

    Nothing is written unless everything fits. Raises DataError or PipelineError naming the file.
    """
    where: dict[PublishedPhase, Path] = {}
    for folder in folders:
        phase = phase_of_folder(folder)
        if phase in where:
            raise PipelineError(f"{where[phase]} and {folder} both hold the {phase} phase; give one folder a phase")
        where[phase] = folder
    parts = {phase: read_folder(folder, phase) for phase, folder in where.items()}
    split = _split(context, parts)
    made = {phase: _feature_set(phase_of(phase, split), found, max(split.actions)) for phase, found in parts.items()}
    note = _note(parts)
    lines = []
    for name in PHASES:
        if name in made:
            record = _provenance(context, split, name, where[name]).record() | ({NOTE: note} if note else {})
            write_features(context.workspace.features(name), made[name], record)
            lines.append(_summary(context, phase_of(name, split), made[name]))
    if note:
        context.console.print(f"note: {note}", style="yellow", markup=False, highlight=False)
    return [*lines, _next(context)]


def _split(context: Context, parts: dict[PublishedPhase, dict[str, Part]]) -> Split:
    """The split that config.toml names; a custom one divides the actions of the test phase."""
    dataset = context.config.dataset
    if "test" in parts:
        actions = np.unique(parts["test"]["gtest"].action).tolist()
    elif dataset.split == CUSTOM:
        actions = np.unique(read_features(context.workspace.features("test")).action).tolist()
    else:
        actions = []
    return resolve_split(dataset, actions, context.config.seed)


def _feature_set(phase: Phase, parts: dict[str, Part], num_actions: int) -> FeatureSet:
    """One phase's clips, checked; the data set has `num_actions`. Raises DataError."""
    train = parts["train"]
    _require(train, phase.seen, f"the {phase.name} phase trains on", every=True)
    _require(parts["ztest"], phase.unseen, f"are unseen in the {phase.name} phase", every=True)
    if phase.name == "test":
        scored = [parts["gtest"]]
        _require(parts["gtest"], phase.actions, "the split divides", every=True)
        _require_same_clips(parts["ztest"], parts["gtest"])
    else:
        scored = [parts["val"], parts["ztest"]]
        _require(parts["val"], phase.seen, "the val phase trains on", every=False)
    logits = np.concatenate([part.logits for part in scored])
    everything = [train, *scored]
    is_fit = np.arange(sum(len(part) for part in everything)) < len(train)
    features = FeatureSet(
        name=np.array([name for part in everything for name in part.names()]),
        action=np.concatenate([part.action for part in everything]),
        train=is_fit if phase.name == "test" else np.ones_like(is_fit),
        held_out=np.zeros_like(is_fit) if phase.name == "test" else ~is_fit,
        features=np.concatenate([part.features for part in everything]),
        logits=np.concatenate([np.zeros((len(train), logits.shape[1]), np.float32), logits]),
        logit_actions=np.asarray(_logit_actions(phase, scored[0], num_actions), dtype=np.int64),
    )
    phase_clips(phase, features)
    return features


def _require(part: Part, wanted: Collection[int], what: str, *, every: bool) -> None:
    """Raise DataError when clips of `part` show other actions than `wanted`, or (with `every`) lack one of them."""
    other = missing(part.counts(), wanted)
    if other:
        raise DataError(
            f"{part.label_path}: has clips of {other} (label 0 is {action_label(1)}), which are not among the "
            f"{len(wanted)} actions that {what}; check dataset.split, or whether this is the folder of another split"
        )
    lacking = missing(wanted, part.counts()) if every else ""
    if lacking:
        raise DataError(
            f"{part.label_path}: has no clip of {lacking}, which {what}; check dataset.split, or whether this is the "
            "folder of another split"
        )


def _require_same_clips(ztest: Part, gtest: Part) -> None:
    """Raise DataError unless `ztest` holds just the unseen clips of `gtest`."""
    twice = gtest.counts()
    wrong = [action_label(action) for action, count in ztest.counts().items() if twice[action] != count]
    if wrong:
        raise DataError(
            f"{ztest.label_path} and {gtest.label_path} differ in their number of clips of {', '.join(wrong)}: "
            "ztest is wanted to hold the same test clips of the unseen actions as gtest"
        )
    different = unmatched(ztest, gtest)
    if different:
        raise DataError(
            f"{ztest.path}: {different} of {len(ztest)} clips are not in {gtest.path.name}; the two are not of one "
            "backbone, or not of one split"
        )


def _logit_actions(phase: Phase, part: Part, num_actions: int) -> Sequence[int]:
    """The action of each column of logits: all actions of the data set, or the ones trained on, in order."""
    columns = part.logits.shape[1]
    for actions in (range(1, num_actions + 1), phase.seen):
        if columns == len(actions):
            return actions
    raise DataError(
        f"{part.path.with_name(part.path.stem + '_out.npy')}: has {columns} columns, where one for each of the "
        f"{num_actions} actions, or for each of the {len(phase.seen)} that the {phase.name} phase trains on, is wanted"
    )


def _note(parts: dict[PublishedPhase, dict[str, Part]]) -> str:
    """A warning when the val phase seems to be scored on clips of the test part."""
    if len(parts) < len(PHASES):
        return ""
    test, val = parts["test"]["gtest"].counts(), parts["val"]["ztest"].counts()
    if any(test.get(action) != count for action, count in val.items()):
        return ""
    return (
        "ztest.npy of the val folder has exactly as many clips of each pseudo-unseen action as gtest.npy of the test "
        "folder: these are most likely the test part's own clips. Then the val phase, which fits the gate and selects "
        "the cycle, looks at test clips (of seen actions), as published results did"
    )


def _provenance(context: Context, split: Split, phase: PublishedPhase, folder: Path) -> Provenance:
    flat = context.config.flat()
    keys = (*SETTINGS, "seed") if split.val_unseen_drawn else SETTINGS
    inputs = {f"{folder.name}/{path.name}": sha256_of(path) for path in folder_files(folder, phase)}
    return Provenance(IMPORT, 1, {key: flat[key] for key in keys}, inputs)


def _summary(context: Context, phase: Phase, features: FeatureSet) -> str:
    """What was written, and how often the logits are right: a wrong order of columns shows there."""
    clips = phase_clips(phase, features)
    columns = np.isin(features.logit_actions, phase.seen)
    named = features.logit_actions[columns][features.logits[clips.seen][:, columns].argmax(axis=1)]
    right = float((named == features.action[clips.seen]).mean())
    if right <= 2 / len(phase.seen):
        context.console.print(
            f"warning: the logits of the {phase.name} phase name the right action for {right:.1%} of the seen clips, "
            "which is chance; are their columns in the order of the actions?",
            style="yellow",
            markup=False,
        )
    return (
        f"wrote {context.workspace.features(phase.name)}: {int(clips.fit.sum())} clips to train on, scored are "
        f"{int(clips.seen.sum())} of {len(phase.seen)} seen and {int(clips.unseen.sum())} of {len(phase.unseen)} "
        f"unseen actions; the backbone is right on {right:.1%} of the seen ones"
    )


def _next(context: Context) -> str:
    absent = [phase for phase in PHASES if not context.workspace.features(phase).exists()]
    if absent:
        wanted = "shift_val_<u>_r" if absent == ["val"] else "shift_<u>_r"
        return f"next: train needs the {absent[0]} phase too; import its folder ({wanted})"
    if not context.workspace.text.exists():
        return "next: `fsvae-pipe import text lb_60.npy md_60.npy ad_60.npy`, or `fsvae-pipe embed-text`; then run"
    return "next: `fsvae-pipe run`"
