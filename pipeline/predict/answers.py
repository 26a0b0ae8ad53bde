"""What clips show, by an action bank and by what the backbone makes of them.

Letters: B clips of a batch, S seen actions, A actions to choose from, D numbers of a feature.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from data.clips.span import Note
from pipeline.predict.action_bank import ActionBank, BankAction, Floats
from pipeline.predict.clip_stream import Unread


@dataclass(frozen=True)
class Ranked:
    """An action and the probability that a clip shows it."""

    action: BankAction
    probability: float


@dataclass(frozen=True)
class Answer:
    """What a clip shows.

    ranked: the actions that the gate leaves (without a gate: all), the likeliest first; probabilities add up to 1.
    unseen_probability: the gate's, that the clip shows no action that the model was trained on; None without a gate.
    warnings: why the answer may be wrong, a sentence each, as when the body's size shows that units are not metres.
    notes: what was done to read the clip, as a frame rate that was changed.
    none_of_these: whether the clip shows none of the actions; None where this was not asked for.
    """

    clip: str
    ranked: tuple[Ranked, ...]
    unseen_probability: float | None
    warnings: tuple[str, ...] = ()
    notes: tuple[Note, ...] = ()
    none_of_these: bool | None = None

    @property
    def best(self) -> BankAction:
        """The action that the clip is given."""
        return self.ranked[0].action


@dataclass(frozen=True)
class FeaturedBatch:
    """A `ClipBatch` with what the backbone makes of its B clips in place of their joints."""

    order: list[str | Unread]
    features: NDArray[np.float32]  # (B, D)
    logits: NDArray[np.float32]  # (B, S)
    warnings: list[tuple[str, ...]]
    notes: list[tuple[Note, ...]]


def answers_of(batch: FeaturedBatch, bank: ActionBank) -> Iterator[Answer | Unread]:
    """Answer the clips of a batch, in its order."""
    if not len(batch.features):
        yield from (item for item in batch.order if isinstance(item, Unread))
        return
    computed = np.array([np.isfinite(row).all() for row in np.hstack((batch.features, batch.logits))])  # (B,)
    features, logits = (np.where(computed[:, None], values, 0) for values in (batch.features, batch.logits))
    probabilities, gate = bank.probabilities(features, logits)
    rejected = bank.rejected(features, gate)  # (B,)
    row = 0
    for item in batch.order:
        if isinstance(item, Unread):
            yield item
            continue
        if computed[row]:
            unseen = None if gate is None else float(gate[row])
            answer = _answer(item, bank, probabilities[row], unseen, batch.warnings[row], batch.notes[row])
            yield answer if rejected is None else replace(answer, none_of_these=bool(rejected[row]))
        else:
            yield Unread(item, "its coordinates are so large that the network gives NaN or infinite numbers")
        row += 1


def _answer(
    clip: str,
    bank: ActionBank,
    probabilities: Floats,
    gate: float | None,
    warnings: tuple[str, ...],
    notes: tuple[Note, ...],
) -> Answer:
    """The ranking of one clip's probabilities (A,); of equals the first, as in evaluate."""
    order = np.argsort(-probabilities, kind="stable")
    order = order[probabilities[order] > 0]
    ranked = tuple(Ranked(bank.actions[i], float(probabilities[i])) for i in order)
    return Answer(clip, ranked, gate, warnings, notes)
