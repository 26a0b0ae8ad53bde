"""`fsvae-pipe import features`: published feature folders -> features/test.h5, features/val.h5."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from data.phase_names import PHASES, PhaseName
from data.published.features import Part, folder_files, phase_of_folder, read_folder
from data.splits import CUSTOM, Split, action_label, resolve_split
from data.stores.feature_store import FeatureSet, read_features, write_features
from data.stores.files import sha256_of
from pipeline.exchange.published_phase import feature_set, known_unseen
from pipeline.messages.errors import PipelineError
from pipeline.phases.chance import WARNINGS, logit_top1, warnings_of
from pipeline.phases.phase import Phase, phase_clips, phase_of
from pipeline.stages.caveats import LOOKS_AT_TEST_CLIPS, val_looks_at_test_clips
from pipeline.workspace.context import Context
from pipeline.workspace.provenance import IMPORT, PHASE, Provenance

SETTINGS = ("dataset.name", "dataset.split", "dataset.unseen", "dataset.val_unseen")
NOTE = "import_note"  # the root attribute for what a reader of the results should know


def import_features(context: Context, folders: Sequence[Path]) -> list[str]:
    """Check and write the phases in `folders`, each of which holds one phase; return lines for the screen.

    Nothing is written unless everything fits. Raises DataError or PipelineError that names the file.
    """
    folder_of: dict[PhaseName, Path] = {}
    for folder in folders:
        name = phase_of_folder(folder)
        if name in folder_of:
            raise PipelineError(
                f"{folder_of[name]} and {folder} both hold the {name} phase; give one folder for each phase"
            )
        folder_of[name] = folder
    parts = {name: read_folder(folder, name) for name, folder in folder_of.items()}
    split = _split(context, parts)
    features_of = {
        name: feature_set(phase_of(name, split), of_folder, max(split.actions)) for name, of_folder in parts.items()
    }
    note = _note(context, split, features_of)
    notes = {NOTE: note} if note else {}
    lines = []
    for name, features in features_of.items():
        phase = phase_of(name, split)
        known = [action_label(action) for action in known_unseen(phase, features)]
        saw = {"transfer": json.dumps(bool(known)), "backbone_saw": json.dumps(known)}
        record = {**_provenance(context, split, name, folder_of[name]).record(), PHASE: name, **saw, **notes}
        if warnings := warnings_of(phase, features, record):
            record[WARNINGS] = json.dumps(warnings)
        write_features(context.workspace.features(name), features, record)
        for warning in warnings:
            _warn(context, warning)
        lines.append(_summary(context, phase, features))
    if note:
        _warn(context, note)
    return [*lines, _next_step(context)]


def _note(context: Context, split: Split, features_of: Mapping[PhaseName, FeatureSet]) -> str:
    """The warning that only both phases together can give; "" when there is none.

    A phase that is not among `features_of` is read from the workspace, if it was imported before.
    """
    both = dict(features_of)
    for name in PHASES:
        path = context.workspace.features(name)
        if name not in both and path.is_file():
            both[name] = read_features(path)
    complete = len(both) == len(PHASES)
    return LOOKS_AT_TEST_CLIPS if complete and val_looks_at_test_clips(split, both["test"], both["val"]) else ""


def _split(context: Context, parts: dict[PhaseName, dict[str, Part]]) -> Split:
    """The split that config.toml names. A custom split divides the actions of the test phase."""
    dataset = context.config.dataset
    if "test" in parts:
        actions = np.unique(parts["test"]["gtest"].action).tolist()
    elif dataset.split == CUSTOM:
        if not context.workspace.features("test").is_file():
            raise PipelineError(
                'dataset.split = "custom" divides the actions of the test phase; import its folder first, or together '
                "with this one"
            )
        actions = np.unique(read_features(context.workspace.features("test")).action).tolist()
    else:
        actions = []
    return resolve_split(dataset, actions, context.config.seed)


def _provenance(context: Context, split: Split, phase: PhaseName, folder: Path) -> Provenance:
    flat = context.config.flat()
    keys = (*SETTINGS, "seed") if split.val_unseen_drawn else SETTINGS
    paths = [path for part in folder_files(folder, phase).values() for path in part]
    inputs = {f"{folder.name}/{path.name}": sha256_of(path) for path in paths}
    return Provenance(IMPORT, 1, {key: flat[key] for key in keys}, inputs)


def _summary(context: Context, phase: Phase, features: FeatureSet) -> str:
    """Say what was written, and how often the logits are right."""
    clips = phase_clips(phase, features)
    right = logit_top1(phase, features, clips.seen)
    known = known_unseen(phase, features)
    if known:
        _warn(
            context,
            f"the backbone of the {phase.name} phase recognises {', '.join(map(action_label, known))}, so it was "
            "trained on unseen actions: results are transfer results, not zero-shot ones",
        )
    return (
        f"wrote {context.workspace.features(phase.name)}: {int(clips.fit.sum())} clips to train on; to be scored, "
        f"{int(clips.seen.sum())} clips of {len(phase.seen)} seen and {int(clips.unseen.sum())} clips of "
        f"{len(phase.unseen)} unseen actions; the backbone is right on {right:.1f} % of the seen ones"
    )


def _warn(context: Context, message: str) -> None:
    context.console.print(f"warning: {message}", style="yellow", markup=False, highlight=False)


def _next_step(context: Context) -> str:
    absent = [phase for phase in PHASES if not context.workspace.features(phase).exists()]
    if absent:
        folder = "shift_val_<u>_r" if absent == ["val"] else "shift_<u>_r"
        return f"next: train needs the {absent[0]} phase too; import its folder ({folder})"
    if not context.workspace.text.exists():
        return "next: `fsvae-pipe import text lb_60.npy md_60.npy ad_60.npy`, or `fsvae-pipe embed-text`; then run"
    return "next: `fsvae-pipe run`"
