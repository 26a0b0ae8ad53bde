"""The clips of `preprocess` on a cluster: as paths where workers share the workspace, else with the files' contents."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from data.clean.cleaning import CleanBatch, clean_batch
from data.clip_name import ClipName
from data.raw.clip_source import HeldSource
from data.raw.skeleton_file import MAX_BYTES
from data.recipes import Recipe
from data.recordings.read_clip import RawPart, Reading
from pipeline.cluster.cluster import Cluster, megabytes

WINDOW_BATCHES = 24  # of each worker; their results wait in memory until those before them are written
SENT_BATCHES = 4  # of each worker, when they bring their files
Task = tuple[Sequence[tuple[ClipName, RawPart]], Recipe, Reading, int]  # the arguments of clean_batch


def cleaned_on_workers(cluster: Cluster, tasks: Sequence[Task]) -> Iterator[CleanBatch] | None:
    """Return the results of `clean_batch`, in order; None when the files can't be sent, which the screen says.

    A file is sent when it is one clip. A recording with many clips would be sent again and again.
    """
    if cluster.shared:
        return cluster.results(clean_batch, tasks, ahead=cluster.workers * WINDOW_BATCHES)
    parts = [part for clips, *_ in tasks for _, part in clips]
    for part in parts:
        if part.annotation or part.span or part.file.num_bytes > MAX_BYTES:
            why = "large" if part.file.num_bytes > MAX_BYTES else "not one clip"
            cluster.say_not_shared(f"preprocess works on this machine: {part.file} is {why}")
            return None
    size = megabytes(sum(part.file.num_bytes for part in parts))
    cluster.say_not_shared(f"raw files are sent: {size} in {len(tasks)} tasks")
    sent = ((_held(clips), *others) for clips, *others in tasks)
    return cluster.results(clean_batch, sent, ahead=cluster.workers * SENT_BATCHES)


def _held(clips: Sequence[tuple[ClipName, RawPart]]) -> list[tuple[ClipName, RawPart]]:
    return [(name, replace(part, file=HeldSource.of(part.file))) for name, part in clips]
