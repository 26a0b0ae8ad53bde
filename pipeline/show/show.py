"""`fsvae-pipe show`: moving skeletons of raw or stored clips, as a page or a GIF, to check that data went in right.

What to show is one of: a raw file, DIR/NAME.skeleton or ARCHIVE.zip/NAME.skeleton; a clip's name,
S001C001P001R001A001; an action, A001, of which a few clips are taken, evenly over all of them. Names and actions are
looked up in skeletons.h5, or in the raw files that dataset.raw names.
"""

import difflib
import re
from collections.abc import Sequence
from pathlib import Path

import click
import numpy as np

from data.clip_name import ClipName
from data.errors import DataError
from data.joints import JOINT_NAMES
from data.raw.skeleton_file import parse_clip
from data.raw.sources import SUFFIX, ClipSource, find_clips, list_source
from data.splits import action_label
from data.stores.files import replacing
from data.stores.skeleton_store import SkeletonStore
from descriptions.errors import DescriptionError
from pipeline.messages.errors import PipelineError
from pipeline.pages.html_page import page_file, render_page
from pipeline.pages.skeleton_player import MovingSkeleton
from pipeline.phases.texts_in_use import texts_in_use
from pipeline.show.checks import checks
from pipeline.workspace.context import Context

RAW_AXES = (
    "Raw clip: metres from the camera; x runs to the left as the camera sees it, y up, z away from the camera. The "
    "front view is the camera's: the left hand of a person who faces it is on the right."
)
STORED_AXES = (
    "Stored clip, as the backbone gets it: metres from the first body's spine mid in the same frame, turned so that in "
    "the first frame x runs from the person's left to right shoulder, y is where the person looks and z is up. Where "
    "a person walks to is no longer in it."
)


def show(
    context: Context,
    what: str,
    output: Path | None = None,
    *,
    gif: bool = False,
    from_raw: bool = False,
    clips: int = 4,
    frames_per_second: float = 30.0,
    joint_labels: bool = False,
    body_labels: bool = False,
) -> Path:
    """Write the clips that `what` names to `output` (WHAT.html or WHAT.gif here) and return its path.

    At most `clips` of an action. Raises DataError or PipelineError when there is no such clip, UsageError when
    `output` has another ending.
    """
    _require_ending(output, gif)
    shown = find(context, what, from_raw, clips, frames_per_second)
    for clip in shown:
        for check in checks(clip):
            if check.wrong:
                context.console.print(f"warning: {clip.name}: {check.text}", style="yellow", markup=False)
    name = re.sub(r"[^\w.-]+", "_", Path(what).stem)
    path = output or Path(f"{name}.{'gif' if gif else 'html'}")
    if gif or path.suffix.lower() == ".gif":
        _write_gif(path, shown, joint_labels, body_labels)
        return path
    page = render_page(
        "show.html",
        [page_file("skeleton_player.js")],
        title=_title(context, what),
        axes=RAW_AXES if shown[0].up == "y" else STORED_AXES,
        clips=[(clip, checks(clip)) for clip in shown],
        joints=joint_labels,
        bodies=body_labels,
        names=[name.replace("_", " ") for name in JOINT_NAMES],
    )
    with replacing(path) as partial:
        partial.write_text(page, "utf-8")
    return path


def _require_ending(output: Path | None, gif: bool) -> None:
    """Raise UsageError unless the file's ending says what is written into it."""
    ending = output.suffix.lower() if output else ""
    if gif and ending not in ("", ".gif"):
        raise click.UsageError(f"-o {output} is no .gif, which --gif writes; give one of the two, or a .gif")
    if output and ending not in (".html", ".gif"):
        raise click.UsageError(f"-o {output}: a file that ends in .html or .gif is wanted")


def _write_gif(path: Path, shown: Sequence[MovingSkeleton], joint_labels: bool, body_labels: bool) -> None:
    try:
        from pipeline.show.gif import write_gif
    except ModuleNotFoundError as error:
        raise PipelineError(
            f"{path}: a GIF needs Pillow ({error}); `pip install 'fsvae-pipe[report]'`, or write an .html page"
        ) from error
    write_gif(path, shown, joint_labels=joint_labels, body_labels=body_labels)


def find(context: Context, what: str, from_raw: bool, number: int, frames_per_second: float) -> list[MovingSkeleton]:
    """The clips that `what` names. Raises DataError or PipelineError when there is none."""
    if what.lower().endswith(SUFFIX) and (source := _raw_file(Path(what))):
        return [read_raw(source, frames_per_second)]
    name = Path(what).name.removesuffix(SUFFIX)
    if not re.fullmatch(r"A\d{3}", name):
        try:
            ClipName.parse(name)
        except DataError as error:
            raise DataError(
                f"{what}: neither a raw file that is there, nor a clip's name, nor an action as A001"
            ) from error
    if from_raw:
        return _from_raw_files(context, name, number, frames_per_second)
    return _from_store(context, name, number, frames_per_second)


def _raw_file(path: Path) -> ClipSource | None:
    """The raw file at `path`, which may lie in an archive, as in clips.zip/NAME.skeleton; None when there is none."""
    if path.is_file():
        return next(iter(list_source(path)))
    for parent in path.parents:
        if parent.is_file():
            return next((source for source in list_source(parent) if source.stem == path.stem), None)
    return None


def read_raw(source: ClipSource, frames_per_second: float) -> MovingSkeleton:
    """A raw clip with all its bodies. Raises DataError when it can't be read or no frame has a body."""
    clip = parse_clip(source.read(), str(source))
    about = f"{source}: {_length(clip.frames, frames_per_second)}, bodies: {len(clip.body_ids)}"
    return MovingSkeleton(source.stem, about, clip.joints, "y", frames_per_second)


def read_stored(
    store: SkeletonStore, clip: int, frames_per_second: float, most_frames: int | None = None
) -> MovingSkeleton:
    """The clip with this number in skeletons.h5; of a longer one `most_frames` frames, evenly chosen."""
    frames, bodies = int(store.frames[clip]), int(store.bodies[clip])
    shown = min(frames, most_frames or frames)
    joints = store.batch([clip], shown)[0].transpose(1, 3, 2, 0)  # (T, M, V, C)
    left_out = f", left out by the recipe: {store.dropped[clip]}" if store.dropped[clip] else ""
    fewer = f", {shown} of them shown" if shown < frames else ""
    about = f"{_length(frames, frames_per_second)}{fewer}, bodies: {bodies}{left_out}"
    return MovingSkeleton(str(store.name[clip]), about, joints[:, :bodies], "z", frames_per_second * shown / frames)


def _length(frames: int, frames_per_second: float) -> str:
    return f"{frames} frames, {frames / frames_per_second:.1f} s at {frames_per_second:g} frames a second"


def _from_raw_files(context: Context, name: str, number: int, frames_per_second: float) -> list[MovingSkeleton]:
    raw = [context.user_path(path) for path in context.config.dataset.raw]
    if not raw:
        raise PipelineError(f"{context.config_path}: dataset.raw is empty; name your raw files there")
    clips, _ = find_clips(raw)
    chosen = _choose([str(clip) for clip, _ in clips], name, number, "the raw files")
    return [read_raw(clips[clip][1], frames_per_second) for clip in chosen]


def _from_store(context: Context, name: str, number: int, frames_per_second: float) -> list[MovingSkeleton]:
    path = context.workspace.skeletons
    if not path.is_file():
        raise PipelineError(
            f"{path}: no such file, so no clip is known by its name; `fsvae-pipe preprocess` makes it, "
            "or name a raw file (NAME.skeleton)"
        )
    with SkeletonStore(path) as store:
        chosen = _choose(store.name.tolist(), name, number, str(path))
        return [read_stored(store, clip, frames_per_second) for clip in chosen]


def _choose(names: Sequence[str], name: str, number: int, where: str) -> list[int]:
    """The places in `names` of the clip `name`, or of up to `number` clips of the action `name`, evenly over all."""
    found = [place for place, other in enumerate(names) if other == name or (len(name) == 4 and other.endswith(name))]
    if found:
        places = np.linspace(0, len(found) - 1, min(number, len(found))).round().astype(int)
        return [found[place] for place in places]
    if len(name) == 4:
        actions = sorted({other[-4:] for other in names})
        raise DataError(f"{where}: no clip of {name}; there are clips of {', '.join(actions)}")
    close = difflib.get_close_matches(name, names, n=1)
    hint = f" (is it {close[0]}?)" if close else ""
    raise DataError(f"{where}: none of {len(names)} clips is called {name}{hint}; rejects.csv lists refused files")


def _title(context: Context, what: str) -> str:
    """The clip or action, with the action's label when the workspace's texts have one."""
    name = Path(what).stem if what.lower().endswith(SUFFIX) else what
    if not context.config_path.is_file():
        return name
    try:
        labels = {action_label(action): levels["label"] for action, levels in texts_in_use(context).items()}
    except (DescriptionError, PipelineError, KeyError):
        return name
    label = labels.get(name[-4:])
    return f"{name}: {label}" if label else name
