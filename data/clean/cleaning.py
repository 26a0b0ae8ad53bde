"""Reads and normalises a batch of raw files: the work of one `preprocess` worker process.

Imports nothing heavy, because every worker imports it.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Self

import numpy as np

from data.checks.findings import Finding
from data.clean.bodies import CleanClip, clean
from data.clean_clips import CleanClips
from data.clip_name import ClipName
from data.clips.span import Note
from data.errors import RawFileError, UnreadableFileError
from data.joints import NUM_JOINTS
from data.memory import keep_freed_memory
from data.recipes import Recipe
from data.recordings.read_clip import ClipReader, RawPart, Reading, findings_of


@dataclass(frozen=True)
class Reject:
    """A raw file that was refused: which file, at which line (None: no particular one), and why."""

    file: str
    line: int | None
    reason: str

    @classmethod
    def of(cls, error: RawFileError) -> Self:
        """Makes a reject from the error that refused the file."""
        return cls(error.file, error.line, error.reason)


@dataclass(frozen=True)
class CleanBatch:
    """The result of a batch: its clips, its rejects, and how many bodies were dropped for each reason.

    joined, exchanged: of how many clips these fields of CleanClip are true.
    unreadable: the files that the system could not read this time. They are not rejects, because they may be good.
    notes: clip, and what was done to read it. findings: clip, file and what seems wrong with it.
    checked: of how many clips findings would be there.
    """

    clips: CleanClips
    rejects: list[Reject]
    dropped: dict[str, int]
    unreadable: list[Reject]
    joined: int = 0
    exchanged: int = 0
    notes: list[tuple[str, Note]] = field(default_factory=list)
    findings: list[tuple[str, str, Finding]] = field(default_factory=list)
    checked: int = 0


def collect(clips: Sequence[tuple[ClipName, CleanClip]]) -> CleanClips:
    """Puts named clips together as columns."""
    joints = [clip.joints.reshape(-1, NUM_JOINTS, 3) for _, clip in clips]
    name_numbers = {
        field: np.array([getattr(name, field) for name, _ in clips], dtype=np.int64)
        for field in ("action", "setup", "camera", "subject", "replication")
    }
    counts = {
        "frames": [clip.joints.shape[1] for _, clip in clips],
        "bodies": [clip.joints.shape[0] for _, clip in clips],
        "dropped": [sum(clip.dropped.values()) for _, clip in clips],
        "centres": [len(clip.centre) for _, clip in clips],
    }
    return CleanClips(
        joints=np.concatenate([np.zeros((0, NUM_JOINTS, 3), np.float32), *joints]),
        centre=np.concatenate([np.zeros((0, 3), np.float32), *(clip.centre for _, clip in clips)]),
        name=np.array([str(name) for name, _ in clips], dtype=np.str_),
        period=np.array([clip.period for _, clip in clips], dtype=np.int64).reshape(-1, 2),
        fps=np.array([clip.fps for _, clip in clips], dtype=np.float64),
        **name_numbers,
        **{field: np.array(column, dtype=np.int64) for field, column in counts.items()},
    )


def clean_batch(
    parts: Sequence[tuple[ClipName, RawPart]], recipe: Recipe, reading: Reading, check_every: int = 1
) -> CleanBatch:
    """Reads and normalises the clips of a batch, and checks the first of every `check_every`.

    A clip that can't be used becomes a reject.
    """
    keep_freed_memory()
    reader = ClipReader(reading)
    clips: list[tuple[ClipName, CleanClip]] = []
    rejects: list[Reject] = []
    unreadable: list[Reject] = []
    dropped: dict[str, int] = {}
    notes: list[tuple[str, Note]] = []
    findings: list[tuple[str, str, Finding]] = []
    checked = 0
    for name, part in parts:
        try:
            read = reader.read(part)
            clip = replace(clean(read.clip, recipe), fps=read.fps)
        except UnreadableFileError as error:
            unreadable.append(Reject.of(error))
            continue
        except RawFileError as error:
            rejects.append(Reject.of(error))
            continue
        clips.append((name, clip))
        notes += [(str(name), note) for note in read.notes]
        if len(clips) % check_every == 1 % check_every:
            checked += 1
            findings += [(str(name), str(part), finding) for finding in findings_of(read, reading)]
        for reason, number in clip.dropped.items():
            dropped[reason] = dropped.get(reason, 0) + number
    joined = sum(clip.joined for _, clip in clips)
    exchanged = sum(clip.exchanged for _, clip in clips)
    return CleanBatch(collect(clips), rejects, dropped, unreadable, joined, exchanged, notes, findings, checked)
