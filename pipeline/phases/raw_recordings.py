"""Where the raw clips of a workspace are and how they are read: what the readers need of [dataset], [preprocess]."""

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from data.clips.manifest import rows_without
from data.errors import DataError
from data.layouts.layout import Layout, layout_names, load_layout
from data.protocols import list_name
from data.raw.sources import list_source
from data.recordings.find_parts import RawClips, all_endings, fingerprint_manifest, first_files
from data.recordings.guess import Guess, guess_layout
from data.recordings.read_clip import Reading
from data.splits import NUM_ACTIONS
from descriptions.errors import DescriptionError
from descriptions.loader import inspect_descriptions, listed, wanted
from pipeline.phases.texts_in_use import texts_in_use
from pipeline.workspace.context import Context

NTU = "ntu"
AUTO = "auto"


def layout_of(context: Context) -> Layout:
    """Return the layout of the workspace's raw files; `auto` is that of the first one that a layout fits.

    Raises DataError when there is none of its name, or none fits.
    """
    dataset = context.config.dataset
    if dataset.layout != AUTO:
        return named_layout(dataset.layout, context.paths_from)
    try:
        return guess_of(*raw_places(context)).layout
    except DataError as error:
        raise DataError(
            f"{error}. The layout was to be guessed by the raw files: name it in {context.config_path} in place of "
            '"auto"'
        ) from error


def raw_places(context: Context) -> tuple[list[Path], Path | None]:
    """Return the raw paths of the workspace, and its manifest."""
    dataset = context.config.dataset
    manifest = context.user_path(dataset.manifest) if dataset.manifest else None
    return [context.user_path(path) for path in dataset.raw], manifest


def guess_of(raw: Sequence[Path], manifest: Path | None) -> Guess:
    """Return the layout of the first raw file that one fits, and why.

    Raises DataError with the fault of the first file when none fits any.
    """
    faults: list[DataError] = []
    for file in first_files(raw, manifest):
        try:
            with file.opened() as stream:
                guess = guess_layout(str(file), stream)
            return replace(guess, reason=f"{file}: {guess.reason}")
        except DataError as error:
            faults.append(error)
    raise faults[0]


def caveats(context: Context) -> list[str]:
    """Return what a user must know of how the raw files were taken.

    That is a guessed layout, files that were passed over, and rows of the manifest without a subject.
    """
    dataset = context.config.dataset
    raw, manifest = raw_places(context)
    said = []
    if dataset.layout == AUTO:
        guess = guess_of(raw, manifest)
        said.append(f"the layout {guess.layout.name} was guessed ({guess.reason})")
    if manifest is None:
        layout = layout_of(context)
        listed = [source for path in raw if layout.name != NTU for source in list_source(path, all_endings())]
        if others := [source for source in listed if not str(source).lower().endswith(layout.endings)]:
            first = min(map(str, others))
            said.append(f"files with the endings of other layouts were not read: {len(others)} (the first: {first})")
    else:
        of_ntu = {"xview": "camera", "xset": "setup"}.get(dataset.protocol, "subject")
        by = "setup" if list_name(dataset) else of_ntu  # lists name videos, whose number is the setup
        without, rows = rows_without(by, manifest)
        if without:
            said.append(f"{without} of {rows} rows of {manifest} tell no {by}; they count as {by} 1")
    return said


def named_layout(name: str, paths_from: Path) -> Layout:
    """Return a built-in layout, or that of a TOML file, whose path is relative to `paths_from`.

    Raises DataError when there is none, or its files can't be used, as those of two-dimensional layouts.
    """
    layout = load_layout(name if name in layout_names() or not name.endswith(".toml") else str(paths_from / name))
    if layout.refused:
        raise DataError(f"the layout {name} can't be used: {layout.refused}")
    return layout


def with_recordings(
    context: Context, files: Sequence[Path], layout: str | None, fps: float | None, mirrored: bool
) -> Context:
    """Return `context` with other recordings: `files`, and the options --layout, --fps and --mirrored of one call.

    With another layout, the frame rate and the side of the workspace's own recordings do not hold. The layout `auto` is
    guessed by the first of the files, and said on the screen. Raises DataError when none fits, or several.
    """
    if layout == AUTO:
        guess = guess_of(files, None)
        layout = guess.layout.name
        context.console.print(f"layout: {layout} ({guess.reason})", highlight=False, markup=False)
    changed: dict[str, object] = {"fps": 0.0, "mirrored": False} if layout else {}
    if layout:
        changed["layout"] = str(Path(layout).absolute()) if layout.endswith(".toml") else layout
    if fps:
        changed["fps"] = fps
    if mirrored:
        changed["mirrored"] = True
    dataset = context.config.dataset.model_copy(update=changed)
    return replace(context, config=context.config.model_copy(update={"dataset": dataset}))


def raw_clips_of(context: Context, labels: Mapping[str, int] | None = None) -> RawClips:
    """Return where the raw clips are, and what names them: `labels` of actions, else those of the descriptions."""
    raw, manifest = raw_places(context)
    if labels is None:
        labels = _labels(context) if manifest else {}
    return RawClips(raw, layout_of(context), manifest, labels)


def reading_of(context: Context) -> Reading:
    """Return how the raw clips are read."""
    dataset = context.config.dataset
    return reading_with(layout_of(context), dataset.fps, context.config.preprocess.fps, dataset.mirrored)


def convertible(context: Context, raw: Sequence[Path], manifest: Path | None) -> tuple[RawClips, Reading]:
    """Return where the clips in `raw` are and how they are read, whatever config.toml says of raw files.

    The labels of a manifest's actions are those of the workspace, if there is one.
    """
    labels = _labels(context) if manifest else {}
    return RawClips(raw, layout_of(context), manifest, labels), reading_of(context)


def reading_with(layout: Layout, fps: float, to_fps: float, mirrored: bool) -> Reading:
    """Return how files of `layout` are read. NTU's own need no layout in the workers."""
    own = layout.kind == "skeleton"
    return Reading(None if own else layout, fps or (layout.fps if own else 0), to_fps, mirrored)


def fingerprint_reading(context: Context) -> tuple[Mapping[str, str], tuple[str, ...]]:
    """Return fingerprints of the manifest and of a layout that is not NTU's, and the endings of raw files."""
    clips = raw_clips_of(context)
    layout = clips.layout
    digest = hashlib.sha256(layout.model_dump_json().encode()).hexdigest()
    layouts = {} if layout.name == NTU else {f"layout {context.config.dataset.layout}": digest}
    return {**layouts, **fingerprint_manifest(clips)}, layout.endings


def _labels(context: Context) -> Mapping[str, int]:
    """Return the action of each label of the descriptions, in small letters; 0 where several actions have it.

    The other texts of an action may still be missing. None when there are no descriptions; raises DescriptionError when
    they can't be read.
    """
    named = context.config.dataset.descriptions
    if named and not context.user_path(named).exists():
        return {}
    labels: Mapping[int, str] = {}
    if named:
        file = inspect_descriptions(context.user_path(named))
        labels = file.labels
        if not labels and file.problems:
            raise DescriptionError(f"{context.user_path(named)}: {listed(file.problems)}; {wanted()}")
    elif context.config.dataset.name in NUM_ACTIONS:
        labels = {action: levels["label"] for action, levels in texts_in_use(context).items()}
    lowered = Counter(label.lower() for label in labels.values())
    return {label.lower(): action if lowered[label.lower()] == 1 else 0 for action, label in labels.items()}
