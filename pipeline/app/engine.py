"""Answers while a user edits: the run, its encoder and the features of a clip stay loaded. No web library is needed."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from threading import Lock

import numpy as np
from numpy.typing import NDArray

from data.recordings.windows import Windows
from pipeline.app.action_list import Rows, actions_of, unseen_rows
from pipeline.app.limbs import LIMBS
from pipeline.app.loaded_clip import LoadedClip, load_file, load_stored, stored_names
from pipeline.predict.action_bank import ActionBank, BankAction, make_bank
from pipeline.predict.answers import Answer, answers_of
from pipeline.predict.bank_parts import BankParts
from pipeline.predict.clip_stream import Unread
from pipeline.predict.recognizer import Recognizer
from pipeline.predict.timeline import Timeline, timeline_of
from pipeline.predict.trained_run import TrainedRun
from pipeline.texts.similarity import TOGETHER, similarities

MOST_PAIRS = 5


@dataclass(frozen=True)
class TextPair:
    """Two actions and the cosine between their texts, from -1 to 1; with 1 nothing tells them apart."""

    first: str
    second: str
    cosine: float


@dataclass(frozen=True)
class StillLimb:
    """The probability of each action (A,) when one limb is held still; NaN where the network gives no number."""

    limb: str
    probabilities: NDArray[np.float64]


@dataclass(frozen=True)
class Reply:
    """All that is said about a clip for one list of actions.

    actions: the A actions. pairs: the most similar texts, the most similar first. limbs: empty without a whole answer.
    """

    actions: tuple[BankAction, ...]
    answer: Answer | Unread
    timeline: Timeline | Unread
    pairs: tuple[TextPair, ...]
    limbs: tuple[StillLimb, ...]


class Engine:
    """A run that answers several people. One of them is served at a time; each brings their own clip and list."""

    def __init__(self, run: TrainedRun) -> None:
        """Load the backbone, the texts' encoder and the aligner. Raises PipelineError as `predict` does."""
        self.run = run
        self._recognizer = Recognizer(run)
        self._parts = BankParts(run)
        self._lock = Lock()
        self._parts.load()

    @cached_property
    def unseen(self) -> Rows:
        """The run's unseen actions, to begin a list with."""
        return unseen_rows(self.run)

    @cached_property
    def stored(self) -> dict[str, list[str]]:
        """Action (A001) -> names of the workspace's clips."""
        return stored_names(self._recognizer)

    def load_file(self, path: Path, layout: str, windows: Windows) -> LoadedClip:
        """Read a recording and compute its features, as pipeline/app/loaded_clip.py does it."""
        with self._lock:
            return load_file(self._recognizer, path, layout, windows)

    def load_stored(self, name: str, windows: Windows) -> LoadedClip:
        """Read a clip of the workspace, as pipeline/app/loaded_clip.py does it."""
        with self._lock:
            return load_stored(self._recognizer, name, windows)

    def reply(self, clip: LoadedClip, rows: Sequence[Sequence[str]]) -> Reply:
        """Answer `clip` by the actions in `rows`. Raises DescriptionError when they are not as they must be."""
        with self._lock:
            bank, pairs = self._bank(rows)
            answer = next(answers_of(clip.whole, bank))
            return Reply(bank.actions, answer, timeline_of(clip.recording, bank), pairs, _limbs(clip, bank))

    def _bank(self, rows: Sequence[Sequence[str]]) -> tuple[ActionBank, tuple[TextPair, ...]]:
        actions = actions_of(rows)
        bank = make_bank(self.run, "given", actions, parts=self._parts)
        features = self._parts.texts.features(actions)  # (A, D_t), each text encoded before
        similar = similarities(range(len(actions)), {"texts": features})[TOGETHER]
        labels = [action.label for action in actions]
        pairs = similar.closest_pairs(MOST_PAIRS)
        return bank, tuple(TextPair(labels[first], labels[second], cosine) for first, second, cosine in pairs)


def _limbs(clip: LoadedClip, bank: ActionBank) -> tuple[StillLimb, ...]:
    """What the bank makes of the clip with each limb held still."""
    if clip.still is None:
        return ()
    found = []
    for limb, answer in zip(LIMBS, answers_of(clip.still, bank), strict=True):
        row = np.full(len(bank.actions), np.nan)
        if isinstance(answer, Answer):
            known = {ranked.action.name: ranked.probability for ranked in answer.ranked}
            row[:] = [known.get(action.name, 0.0) for action in bank.actions]
        found.append(StillLimb(limb.name, row))
    return tuple(found)
