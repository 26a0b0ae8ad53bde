"""`fsvae-pipe show`: draws raw or stored clips as moving skeletons, to check that they were read correctly.

It shows one of these:
- a raw file, DIR/NAME.skeleton or ARCHIVE.zip/NAME.skeleton;
- a few files of a folder or archive, evenly spread over all of them;
- a clip by its name, S001C001P001R001A001;
- a few clips of an action, A001, evenly spread over all of its clips.
Names and actions are looked up in skeletons.h5, or in the raw files that dataset.raw names.
"""

import difflib
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

import click
import numpy as np

from data.clip_name import ClipName
from data.errors import DataError
from data.joints import JOINT_NAMES
from data.raw.clip_source import SUFFIX, ClipSource
from data.raw.sources import archived_file, list_source
from data.recordings.find_parts import find_parts, parts_of
from data.recordings.read_clip import ClipReader, RawPart, Reading
from data.splits import action_label
from data.stores.files import replacing
from data.stores.skeleton_store import SkeletonStore
from descriptions.errors import DescriptionError
from pipeline.messages.errors import PipelineError
from pipeline.pages.html_page import page_file, render_page
from pipeline.pages.skeleton_player import MovingSkeleton
from pipeline.phases.raw_recordings import raw_clips_of, reading_of
from pipeline.phases.texts_in_use import texts_in_use
from pipeline.show.checks import checks
from pipeline.workspace.context import Context
from pipeline.workspace.provenance import stored_fps

Item = TypeVar("Item")
ACTION = re.compile(r"A\d{3}")
RAW_AXES = (
    "Raw clip: metres from the camera; x runs to the left as the camera sees it, y up, z away from the camera. The "
    "front view is the camera's: the left hand of a person who faces it is on the right."
)
TURNED_AXES = (
    "Raw clip, turned about the vertical so that the first body shown faces you in the first frame: metres; x runs to "
    "the left as you see it, y up, z away from you. The left hand of a person who faces you is on the right."
)
STORED_AXES = (
    "Stored clip, as the backbone gets it: metres from the first body's spine mid in the same frame, turned so that in "
    "the first frame x runs from the person's left to right shoulder, y is where the person looks and z is up. Where "
    "a person walks to is no longer in it."
)


def show(
    context: Context,
    clip_or_action: str,
    output: Path | None = None,
    *,
    gif: bool = False,
    from_raw: bool = False,
    most_clips: int = 4,
    frames_per_second: float | None = None,
    joint_labels: bool = False,
    body_labels: bool = False,
) -> Path:
    """Write the clips that `clip_or_action` names to `output` and return its path.

    `output` ends in .html or .gif. It defaults to a file in the current folder, named after the clip or action. At most
    `most_clips` clips of an action are shown, each at `frames_per_second`, else at its own rate. Raises DataError or
    PipelineError when there is no such clip, UsageError when `output` has another ending.
    """
    _require_ending(output, gif)
    clips = find_shown_clips(context, clip_or_action, from_raw, most_clips, frames_per_second)
    layout = reading_of(context).layout
    turned = layout is not None and layout.turned
    checked = [(clip, checks(clip, facing=not turned)) for clip in clips]
    for clip, findings in checked:
        for finding in findings:
            if finding.wrong:
                context.console.print(f"warning: {clip.name}: {finding.text}", style="yellow", markup=False)
    name = re.sub(r"[^\w.-]+", "_", Path(clip_or_action).stem) or "clips"
    path = output or Path(f"{name}.{'gif' if gif else 'html'}")
    if gif or path.suffix.lower() == ".gif":
        _write_gif(path, clips, joint_labels, body_labels)
        return path
    page = render_page(
        "show.html",
        [page_file("skeleton_player.js")],
        title=_title(context, clip_or_action),
        axes=STORED_AXES if clips[0].up == "z" else TURNED_AXES if turned else RAW_AXES,
        clips=checked,
        joints=joint_labels,
        bodies=body_labels,
        names=[name.replace("_", " ") for name in JOINT_NAMES],
    )
    with replacing(path) as partial:
        partial.write_text(page, "utf-8")
    return path


def _require_ending(output: Path | None, gif: bool) -> None:
    """Raise UsageError unless `output` has a possible ending: .gif with --gif, else .html or .gif."""
    ending = output.suffix.lower() if output else ""
    if gif and ending not in ("", ".gif"):
        raise click.UsageError(f"--gif writes a .gif, but -o names {output}; leave out --gif, or name a .gif")
    if output and ending not in (".html", ".gif"):
        raise click.UsageError(f"-o {output}: the name must end in .html or .gif")


def _write_gif(path: Path, clips: Sequence[MovingSkeleton], joint_labels: bool, body_labels: bool) -> None:
    try:
        from pipeline.show.gif import write_gif
    except ModuleNotFoundError as error:
        raise PipelineError(
            f"{path}: a GIF needs Pillow ({error}); `pip install 'fsvae-pipe[report]'`, or write an .html page"
        ) from error
    write_gif(path, clips, joint_labels=joint_labels, body_labels=body_labels)


def find_shown_clips(
    context: Context, clip_or_action: str, from_raw: bool, most_clips: int, frames_per_second: float | None
) -> list[MovingSkeleton]:
    """Read the clips that `clip_or_action` names. Raises DataError or PipelineError when there is none."""
    reading = replace(reading_of(context), to_fps=0)  # as it was recorded
    path = Path(clip_or_action)
    if (path.is_dir() and not ACTION.fullmatch(clip_or_action)) or (path.is_file() and path.suffix.lower() == ".zip"):
        files = _spread(sorted(list_source(path, reading.endings), key=str), most_clips)
        return [read_raw(parts_of(file, reading.layout)[0], reading) for file in files]
    named = clip_or_action.lower().endswith(reading.endings) or (reading.layout and path.is_file())
    if named and (source := _raw_file(path, reading)):
        return [read_raw(part, reading) for part in parts_of(source, reading.layout)[:most_clips]]
    if path.is_file():
        endings = " or ".join(reading.endings)
        raise DataError(f"{path}: its name does not end in {endings}; name its layout with --layout, or --layout auto")
    name = path.name.removesuffix(SUFFIX)
    if not ACTION.fullmatch(name):
        try:
            ClipName.parse(name)
        except DataError as error:
            raise DataError(
                f'"{clip_or_action}" is neither an existing raw file or folder, nor a clip\'s name, nor an action '
                "such as A001"
            ) from error
    if from_raw:
        return _from_raw_files(context, name, most_clips, reading)
    return _from_store(context, name, most_clips, frames_per_second)


def _raw_file(path: Path, reading: Reading) -> ClipSource | None:
    """The raw file at `path`, or None. It may be in an archive, as in clips.zip/NAME.skeleton."""
    if path.is_file():
        return next(iter(list_source(path, reading.endings)))
    return archived_file(path, reading.endings)


def read_raw(part: RawPart, reading: Reading) -> MovingSkeleton:
    """Read a raw clip with all its bodies. Raises DataError when it can't be read or no frame has a body."""
    read = ClipReader(reading).read(part)
    notes = "".join(f"; {note}" for note in read.notes)
    caption = f"{part}: {_length(read.clip.frames, read.fps)}, bodies: {len(read.clip.body_ids)}{notes}"
    return MovingSkeleton(part.file.stem, caption, read.clip.joints, "y", read.fps)


def read_stored(
    store: SkeletonStore, row: int, frames_per_second: float, most_frames: int | None = None
) -> MovingSkeleton:
    """Read the clip in `row` of skeletons.h5. A clip longer than `most_frames` is sampled evenly to that length."""
    frames, bodies = int(store.frames[row]), int(store.bodies[row])
    shown_frames = min(frames, most_frames or frames)
    joints = store.batch([row], shown_frames)[0].transpose(1, 3, 2, 0)  # (T, M, V, C)
    left_out = f", left out by the recipe: {store.dropped[row]}" if store.dropped[row] else ""
    fewer = f", {shown_frames} of them shown" if shown_frames < frames else ""
    caption = f"{_length(frames, frames_per_second)}{fewer}, bodies: {bodies}{left_out}"
    shown_per_second = frames_per_second * shown_frames / frames
    return MovingSkeleton(str(store.name[row]), caption, joints[:, :bodies], "z", shown_per_second)


def _length(frames: int, frames_per_second: float) -> str:
    return f"{frames} frames, {frames / frames_per_second:.1f} s at {frames_per_second:.4g} frames a second"


def _from_raw_files(context: Context, name: str, most_clips: int, reading: Reading) -> list[MovingSkeleton]:
    if not context.config.dataset.raw and not context.config.dataset.manifest:
        raise PipelineError(f"{context.config_path}: dataset.raw is empty; name your raw files there")
    clips, _ = find_parts(raw_clips_of(context))
    rows = _choose([str(clip) for clip, _ in clips], name, most_clips, "the raw files")
    return [replace(read_raw(clips[row][1], reading), name=str(clips[row][0])) for row in rows]


def _from_store(context: Context, name: str, most_clips: int, frames_per_second: float | None) -> list[MovingSkeleton]:
    path = context.workspace.skeletons
    if not path.is_file():
        raise PipelineError(
            f"{path}: no such file, and names of clips are looked up there; run `fsvae-pipe preprocess` to make it, "
            "or name a raw file (NAME.skeleton)"
        )
    with SkeletonStore(path) as store:
        rows = _choose(store.name.tolist(), name, most_clips, str(path))
        fps = frames_per_second or stored_fps(path)
        return [read_stored(store, row, fps or float(store.fps[row])) for row in rows]


def _choose(names: Sequence[str], name: str, most_clips: int, source: str) -> list[int]:
    """Return the indices in `names` of the clip `name`, or of `most_clips` clips of the action `name`, evenly spread.

    Raises DataError when there is none. The message names `source`, the file or folders that the names are from.
    """
    is_action = ACTION.fullmatch(name) is not None
    matches = [index for index, clip in enumerate(names) if clip == name or (is_action and clip.endswith(name))]
    if matches:
        return _spread(matches, most_clips)
    if is_action:
        actions = sorted({clip[-4:] for clip in names})
        raise DataError(f"{source}: no clip of {name}; there are clips of {', '.join(actions)}")
    close = difflib.get_close_matches(name, names, n=1)
    hint = f" (is it {close[0]}?)" if close else ""
    raise DataError(f"{source}: none of {len(names)} clips is called {name}{hint}; rejects.csv lists refused files")


def _spread(items: Sequence[Item], most: int) -> list[Item]:
    """Return `most` of the items, evenly spread over all of them, or all when there are fewer."""
    return [items[index] for index in np.linspace(0, len(items) - 1, min(most, len(items))).round().astype(int)]


def _title(context: Context, clip_or_action: str) -> str:
    """The name of the clip or action, followed by the action's label when the workspace has one."""
    name = Path(clip_or_action).stem if clip_or_action.lower().endswith(SUFFIX) else clip_or_action
    if not context.config_path.is_file():
        return name
    try:
        labels = {action_label(action): levels["label"] for action, levels in texts_in_use(context).items()}
    except (DescriptionError, PipelineError, KeyError):
        return name
    label = labels.get(name[-4:])
    return f"{name}: {label}" if label else name
