"""When which action is shown: a recording of any length is cut into windows, which are answered as clips of their own.

data/recordings/windows.py cuts, smoothing.py makes segments of the answers. Memory holds 64 windows, and the
probabilities of all. Letters: W windows, A actions.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from data.clips.span import Note
from data.errors import DataError
from data.raw.skeleton_file import RawClip
from data.recordings.read_clip import RawPart, ReadClip
from data.recordings.windows import Window, Windows, read_windows
from pipeline.pages.skeleton_player import MovingSkeleton
from pipeline.predict.action_bank import NONE_OF_THESE, ActionBank, BankAction
from pipeline.predict.answers import Answer, FeaturedBatch, Ranked, answers_of
from pipeline.predict.clip_stream import ClipLike, Unread, batches_of, sources_of
from pipeline.predict.smoothing import step_edges, step_log_probabilities, stretches
from pipeline.predict.thinned import Thinned
from pipeline.predict.treatment import Treatment

if TYPE_CHECKING:
    from pipeline.predict.recognizer import Recognizer

NO_BODY = "no window of it shows a body for half of its time"


@dataclass(frozen=True)
class Segment:
    """An action, or NONE_OF_THESE, from one time of a recording to another, and its mean probability in between."""

    start_s: float
    end_s: float
    action: BankAction
    probability: float


@dataclass(frozen=True)
class Timeline:
    """What a recording shows, and when. Times are seconds from its first frame.

    clip: the recording's file. segments: in order; between them, where no one is there, nothing is said.
    windows, unanswered: how many windows there are, and how many of them show no body for half of their time.
    warnings: why answers may be wrong. notes: what was done to read the recording, as in the first window with it.
    moving: the recording to look at, thinned out; only where it was asked for.
    """

    clip: str
    duration_s: float
    segments: tuple[Segment, ...]
    windows: int
    unanswered: int
    warnings: tuple[str, ...] = ()
    notes: tuple[Note, ...] = ()
    moving: MovingSkeleton | None = None


def timelines(
    recognizer: "Recognizer",
    recordings: ClipLike | Iterable[ClipLike],
    bank: ActionBank,
    treatment: Treatment,
    windows: Windows,
    most_moving: int = 0,
) -> Iterator[Timeline | Unread]:
    """Yield the timeline of each recording; the first `most_moving` are kept to look at.

    A recording that can't be read to its end, or of which no window has an answer, comes as `Unread`.
    """
    shown = 0
    for source in sources_of(recordings, treatment.reading):
        if isinstance(source, Unread):
            yield source
            continue
        thinned = Thinned() if shown < most_moving else None
        found = _timeline(recognizer, source, bank, treatment, windows, thinned)
        shown += isinstance(found, Timeline)
        yield found


@dataclass(frozen=True)
class FeaturedRecording:
    """A recording whose windows went through the backbone, so that any bank can answer them at once.

    clip: the recording's file. batches: its W windows in order, which begin and end at `spans_s` (W, 2).
    """

    clip: str
    windows: Windows
    spans_s: list[tuple[float, float]]
    batches: list[FeaturedBatch]
    moving: MovingSkeleton | None


def featured_recording(
    recognizer: "Recognizer", source: RawPart | RawClip, treatment: Treatment, windows: Windows
) -> FeaturedRecording:
    """Read a recording and compute the features of its windows. Raises DataError when it can't be read to its end."""
    thinned, spans_s = Thinned(), []

    def read() -> Iterator[ReadClip | Unread]:
        for window in read_windows(source, treatment.reading, windows, thinned.add):
            spans_s.append((window.start_s, window.end_s))
            yield window.read or Unread("", NO_BODY)

    batches = [recognizer.featured(batch) for batch in batches_of(read(), treatment)]
    name = source.source if isinstance(source, RawClip) else str(source)
    return FeaturedRecording(name, windows, spans_s, batches, thinned.moving(name, spans_s[-1][1]))


def timeline_of(recording: FeaturedRecording, bank: ActionBank) -> Timeline | Unread:
    """Return the timeline of a recording whose features are known; `Unread` when no window of it has an answer."""
    tally = _Tally(bank)
    tally.windows = recording.spans_s
    for batch in recording.batches:
        for answer in answers_of(batch, bank):
            tally.answer(answer)
    return tally.timeline(recording.clip, recording.windows, recording.moving)


class _Tally:
    """What the windows of a recording were, and what was answered.

    Where the bank rejects, NONE_OF_THESE is one more action. A window that shows none of the others is sure of it.
    """

    def __init__(self, bank: ActionBank) -> None:
        self.actions = bank.actions if bank.rejection is None else (*bank.actions, NONE_OF_THESE)
        self._column = {action.name: column for column, action in enumerate(self.actions)}
        self.windows: list[tuple[float, float]] = []
        self.probabilities: list[NDArray[np.float32]] = []
        self.notes: dict[str, Note] = {}
        self.warned = self.unanswered = 0
        self.first_warning = self.first_reason = ""

    def window(self, window: Window) -> ReadClip | Unread:
        self.windows.append((window.start_s, window.end_s))
        return window.read or Unread("", NO_BODY)

    def answer(self, answer: Answer | Unread) -> None:
        row = np.full(len(self._column), np.nan, np.float32)
        if isinstance(answer, Unread):
            self.unanswered += 1
            self.first_reason = self.first_reason or answer.reason
        else:
            row[:] = 0
            shown = (Ranked(NONE_OF_THESE, 1.0),) if answer.none_of_these else answer.ranked
            for ranked in shown:
                row[self._column[ranked.action.name]] = ranked.probability
            if answer.warnings:
                self.warned += 1
                start_s = self.windows[len(self.probabilities)][0]
                self.first_warning = self.first_warning or f"at {start_s:g} s: {answer.warnings[0]}"
            for note in answer.notes:
                self.notes.setdefault(note.what, note)
        self.probabilities.append(row)

    @property
    def warnings(self) -> tuple[str, ...]:
        if not self.warned:
            return ()
        return (f"{self.warned} of {len(self.windows)} windows, the first {self.first_warning}",)

    def timeline(self, name: str, windows: Windows, moving: MovingSkeleton | None) -> Timeline | Unread:
        if self.unanswered == len(self.windows):
            return Unread(name, self.first_reason)
        spans_s = np.array(self.windows)  # (W, 2)
        edges_s = step_edges(float(spans_s[-1, 1]), windows.stride_s)
        steps = step_log_probabilities(edges_s, spans_s, np.stack(self.probabilities))
        segments = tuple(
            Segment(float(edges_s[part.first]), float(edges_s[part.end]), self.actions[part.action], part.probability)
            for part in stretches(steps, windows.window_s / windows.stride_s)
        )
        duration_s, notes = float(spans_s[-1, 1]), tuple(self.notes.values())
        counts = len(self.windows), self.unanswered
        return Timeline(name, duration_s, segments, *counts, self.warnings, notes, moving)


def _timeline(
    recognizer: "Recognizer",
    source: RawPart | RawClip,
    bank: ActionBank,
    treatment: Treatment,
    windows: Windows,
    thinned: Thinned | None,
) -> Timeline | Unread:
    name = source.source if isinstance(source, RawClip) else str(source)
    tally = _Tally(bank)
    watch = None if thinned is None else thinned.add
    try:
        read = (tally.window(window) for window in read_windows(source, treatment.reading, windows, watch))
        for batch in batches_of(read, treatment):
            for answer in recognizer.answers(batch, bank):
                tally.answer(answer)
    except (DataError, OSError) as error:
        return Unread(name, str(error).removeprefix(name).lstrip(",: "))
    moving = None if thinned is None else thinned.moving(name, tally.windows[-1][1])
    return tally.timeline(name, windows, moving)
