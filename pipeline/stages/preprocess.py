"""The stage `preprocess`: raw clips -> skeletons.h5 and rejects.csv.

Worker processes read the clips in batches, in the order of their names. The result is the same for any number of
workers. Memory is bounded: at most one window of batches is under way, and each result is written at once.
"""

import csv
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import BrokenExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import joblib
import numpy as np
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from data.checks.summary import ClipFinding, Summary
from data.clean.body_size import body_sizes_m, wrong_size
from data.clean.choice import SHORT_FRAMES
from data.clean.cleaning import CleanBatch, Reject, clean_batch
from data.clip_name import ClipName
from data.raw.sources import missing_clips
from data.recipes import Recipe
from data.recordings.find_parts import find_parts
from data.recordings.read_clip import OTHER_RATE, RawPart, Reading
from data.splits import NUM_ACTIONS, action_label
from data.stores import h5
from data.stores.files import replacing
from data.stores.skeleton_store import SkeletonWriter
from pipeline.cluster.cluster import Cluster, active, megabytes
from pipeline.messages.csv_cells import cells
from pipeline.messages.errors import PipelineError
from pipeline.phases.raw_recordings import caveats, raw_clips_of, reading_of
from pipeline.stages.inputs import raw_clips
from pipeline.stages.parallel import ending_with_this_process
from pipeline.workspace.context import Context
from pipeline.workspace.provenance import Provenance

BATCH_CLIPS = 8
WINDOW_BATCHES = 24  # of each worker; results wait in memory until their window is written
SENT_BATCHES = 4  # of each worker of a cluster, when they bring their files
IDLE_SECONDS = 10
CHECK_EVERY = 8  # of the clips of NTU's own data sets, which are known to be good; all of any other
NAMED_FILES = 5  # in the message about files that could not be read
WHY_DROPPED = {
    "energy": "less energy than two others of the clip",
    "too short": f"too short, seen in {SHORT_FRAMES} frames or fewer",
    "too wide": "too wide for a person",
    "variance": "less variance than two others of the clip, beside whom it is seen",
}

Clip = tuple[ClipName, RawPart]
Task = tuple[Sequence[Clip], Recipe, Reading, int]  # the arguments of clean_batch


@dataclass
class Identities:
    """Of how many clips the fields `joined` and `exchanged` of a CleanClip are true."""

    joined: int = 0
    exchanged: int = 0

    def record(self) -> dict[str, str]:
        """The counts for the record of skeletons.h5."""
        return {"joined_clips": str(self.joined), "exchanged_clips": str(self.exchanged)}

    def lines(self, recipe: Recipe) -> list[str]:
        """The counts that are not 0, in words."""
        joined, exchanged = _counted(self.joined, "clip"), _counted(self.exchanged, "clip")
        words = {
            "shift-gcn": f"{exchanged} in which people change places in the list of bodies; "
            "the recipe tracked would follow them",
            "denoised": f"{exchanged} in which people exchange their body ids; the recipe tracked would follow them",
            "tracked": f"{exchanged} in which people change places in the list of bodies; they were followed",
        }
        lines = [f"{joined} in which a person has several body ids; they were joined"] if self.joined else []
        return [*lines, words[recipe]] if self.exchanged else lines


@dataclass
class Tally:
    """Counts of raw files and clips, and the files that were refused or could not be read."""

    missing: int = 0
    foreign: int = 0
    kept: int = 0
    frames: int = 0
    two_bodies: int = 0
    rejects: list[Reject] = field(default_factory=list)
    unreadable: list[Reject] = field(default_factory=list)
    dropped: Counter[str] = field(default_factory=Counter)
    identities: Identities = field(default_factory=Identities)
    notes: dict[str, tuple[int, str]] = field(default_factory=dict)  # what was done -> clips, and the first of them
    checks: Summary = field(default_factory=Summary)
    least_fps: float = np.inf  # of the recordings
    most_fps: float = 0.0
    sizes_m: list[float] = field(default_factory=list)  # of the first body in each clip's first frame

    def add(self, batch: CleanBatch) -> None:
        """Count one batch."""
        self.kept += len(batch.clips)
        self.frames += int(batch.clips.frames.sum())
        self.two_bodies += int((batch.clips.bodies == 2).sum())
        self.rejects += batch.rejects
        self.unreadable += batch.unreadable
        self.dropped.update(batch.dropped)
        self.identities.joined += batch.joined
        self.identities.exchanged += batch.exchanged
        self.checks.add(batch.findings, batch.checked)
        self.least_fps = min(self.least_fps, *batch.clips.fps.tolist(), np.inf)
        self.most_fps = max(self.most_fps, *batch.clips.fps.tolist(), 0.0)
        for clip, note in batch.notes:
            number, first = self.notes.get(note.what, (0, f"{clip}, {note.detail}"))
            self.notes[note.what] = number + 1, first
        rows = batch.clips.frames * batch.clips.bodies
        self.sizes_m += body_sizes_m(batch.clips.joints[np.cumsum(rows) - rows]).tolist()


def preprocess(context: Context, provenance: Provenance) -> None:
    """Make skeletons.h5 from the raw clips.

    Raises DataError when the raw files can't be listed. Raises PipelineError when no clip is left, or when the system
    could not read some files this time: they may be good, so the stage must not count as done without them.
    """
    tally = Tally()
    clips = _choose(context, tally)
    workspace = context.workspace
    record = dict(provenance.record())
    with h5.writing(workspace.skeletons, record) as file, _checks(workspace.checks) as write_findings:
        writer = SkeletonWriter(file)
        for batch in _batches(context, clips):
            writer.append(batch.clips)
            write_findings(batch.findings)
            tally.add(batch)
        if tally.unreadable:
            raise PipelineError(_unreadable(tally.unreadable))
        provenance.require_inputs(raw_clips(context))
        _write_rejects(workspace.rejects, tally.rejects)
        if not tally.kept:
            raise PipelineError(_nothing_left(context, tally))
        writer.finish()
        record.update(tally.identities.record())
    _report(context, tally)


def _choose(context: Context, tally: Tally) -> list[Clip]:
    """Return the clips to read, by name. Leaves out the officially missing ones and actions outside the data set."""
    dataset = context.config.dataset
    clips, misnamed = find_parts(raw_clips_of(context))
    tally.rejects += [Reject.of(error) for error in misnamed]
    inside = [clip for clip in clips if clip[0].action <= NUM_ACTIONS.get(dataset.name, 999)]
    missing = missing_clips(dataset.name)
    left = [clip for clip in inside if str(clip[0]) not in missing]
    tally.foreign, tally.missing = len(clips) - len(inside), len(inside) - len(left)
    return left


def _batches(context: Context, clips: Sequence[Clip]) -> Iterator[CleanBatch]:
    """Yield the result of each batch of clips, in order, and show a progress bar."""
    settings, reading = context.config.preprocess, reading_of(context)
    batches = [clips[start : start + BATCH_CLIPS] for start in range(0, len(clips), BATCH_CLIPS)]
    check_every = CHECK_EVERY if context.config.dataset.name in NUM_ACTIONS else 1
    tasks: list[Task] = [(batch, settings.recipe, reading, check_every) for batch in batches]
    cluster = active()
    results = _cleaned_on(cluster, tasks) if cluster else None
    if results is None:
        results = _cleaned_here(tasks, settings.workers or joblib.cpu_count())
    columns = (TextColumn("preprocess"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=context.console, transient=True) as progress:
        shown = progress.add_task("clips", total=len(clips))
        for batch, result in zip(batches, results, strict=True):
            yield result
            progress.advance(shown, len(batch))


def _cleaned_on(cluster: Cluster, tasks: Sequence[Task]) -> Iterator[CleanBatch] | None:
    """Return the result of each task, in order, from the workers of `cluster`; None when the clips can't be sent there.

    Without a shared folder, a clip that is a file is sent. A recording of many clips would be sent again and again.
    """
    if cluster.shared:
        return cluster.results(clean_batch, tasks, ahead=cluster.workers * WINDOW_BATCHES)
    parts = [part for clips, *_ in tasks for _, part in clips]
    if large := next((part for part in parts if not part.is_small_file), None):
        cluster.say_not_shared(f"preprocess works on this machine: {large} is a large file, or a part of one")
        return None
    size = megabytes(sum(part.file.num_bytes for part in parts))
    cluster.say_not_shared(f"raw files are sent: {size} in {len(tasks)} tasks")
    with_files = (([(name, part.held()) for name, part in clips], *others) for clips, *others in tasks)
    return cluster.results(clean_batch, with_files, ahead=cluster.workers * SENT_BATCHES)


def _cleaned_here(tasks: Sequence[Task], workers: int) -> Iterator[CleanBatch]:
    """Yield the result of each task, in order, from processes of this machine; one works in this process."""
    workers = max(1, min(workers, len(tasks)))
    options = {"idle_worker_timeout": IDLE_SECONDS, **ending_with_this_process()} if workers > 1 else {}
    with joblib.Parallel(workers, batch_size=1, return_as="generator", **options) as parallel:
        for start in range(0, len(tasks), workers * WINDOW_BATCHES):
            window = tasks[start : start + workers * WINDOW_BATCHES]
            try:
                yield from parallel(joblib.delayed(clean_batch)(*task) for task in window)
            except BrokenExecutor as error:
                raise PipelineError(
                    "a worker process ended before its work was done, perhaps because memory ran out; run "
                    "`fsvae-pipe preprocess --set preprocess.workers=1`"
                ) from error


def _write_rejects(path: Path, rejects: Sequence[Reject]) -> None:
    # csv, not pandas: importing pandas takes half a second and 30 MiB, and this stage needs nothing else of it
    with replacing(path) as place, place.open("w", encoding="utf-8", errors="backslashreplace", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(("file", "line", "reason"))
        rows.writerows(cells((reject.file, reject.line or "", reject.reason)) for reject in rejects)


@contextmanager
def _checks(path: Path) -> Iterator[Callable[[Iterable[ClipFinding]], None]]:
    """Yield a function that writes findings to checks.csv; they are not kept, because they may be many."""
    with replacing(path) as place, place.open("w", encoding="utf-8", errors="backslashreplace", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(("clip", "file", "check", "evidence", "advice"))
        yield lambda findings: rows.writerows(
            cells((clip, name, found.check, found.evidence, found.advice)) for clip, name, found in findings
        )


def _unreadable(files: Sequence[Reject]) -> str:
    named = ", ".join(f"{file.file}: {file.reason}" for file in files[:NAMED_FILES])
    more = f", and {len(files) - NAMED_FILES} more" if len(files) > NAMED_FILES else ""
    return (
        f"{_counted(len(files), 'raw file')} could not be read ({named}{more}); nothing was written. Make them "
        "readable (permissions, the disk, the share, what a link leads to), then run `fsvae-pipe preprocess` again"
    )


def _nothing_left(context: Context, tally: Tally) -> str:
    reasons = []
    if tally.rejects:
        first = tally.rejects[0]
        reasons.append(
            f"{len(tally.rejects)} refused (see {context.workspace.rejects}; the first: {first.file}: {first.reason})"
        )
    reasons += [f"{tally.missing} on the official list of missing skeletons"] if tally.missing else []
    reasons += [f"{tally.foreign} of actions outside {context.config.dataset.name}"] if tally.foreign else []
    return (
        f"no clip is left of those in {', '.join(context.config.dataset.raw)}: {', '.join(reasons)}; "
        "check dataset.raw and dataset.name, then run `fsvae-pipe preprocess` again"
    )


def _report(context: Context, tally: Tally) -> None:
    name = context.config.dataset.name
    lines = [
        f"{_counted(tally.kept, 'clip')} kept, {_counted(tally.frames, 'frame')}, "
        f"{_counted(tally.two_bodies, 'clip')} with two bodies"
    ]
    if tally.missing:
        lines.append(f"{_counted(tally.missing, 'clip')} left out: on the official list of missing skeletons of {name}")
    if tally.foreign:
        last = action_label(NUM_ACTIONS[name])
        lines.append(f"{_counted(tally.foreign, 'clip')} left out: actions above {last} are not in {name}")
    if tally.rejects:
        lines.append(f"{_counted(len(tally.rejects), 'file')} refused; the reasons are in {context.workspace.rejects}")
    for reason, number in sorted(tally.dropped.items()):
        lines.append(f"{_counted(number, 'body')} dropped: {WHY_DROPPED[reason]}")
    lines += tally.identities.lines(context.config.preprocess.recipe)
    lines += [
        f"{_counted(number, 'clip')} {what} (the first: {first})" for what, (number, first) in tally.notes.items()
    ]
    for line in lines:
        context.console.print(line, soft_wrap=True, highlight=False, markup=False)
    suspected = [f"{sentence} (all of them: {context.workspace.checks})" for sentence in tally.checks.suspected()]
    suspected = [*caveats(context), *suspected]
    if size := wrong_size(np.array(tally.sizes_m)):
        suspected.insert(0, size)
    if not context.config.preprocess.fps and tally.most_fps > OTHER_RATE * tally.least_fps:
        rates = f"{tally.least_fps:.4g} to {tally.most_fps:.4g}"
        suspected.append(
            f"the recordings have {rates} frames a second, and preprocess.fps = 0 leaves them so: the same motion "
            "looks faster in some clips than in others; set preprocess.fps = 30"
        )
    for warning in suspected:
        context.console.print(f"warning: {warning}", style="yellow", soft_wrap=True, highlight=False, markup=False)


def _counted(number: int, noun: str) -> str:
    plural = "bodies" if noun == "body" else f"{noun}s"
    return f"{number} {noun if number == 1 else plural}"
