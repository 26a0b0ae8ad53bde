"""Whether a clip shows none of the actions that it may be given. Ours.

The score of a clip is how much better the best candidate's text fits it than the best text of a seen action
(`text_score`). Seen actions serve as what else people do: a clip of something else is often nearer to one of these.
The scores of right answers in the val phase say how low a score can be: `lost` is the share of them below the
threshold, which is the share of right answers that one is ready to lose. Letters: N clips, S seen actions, A all
actions, Q quantiles.
"""

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from models.zero_shot.gate import Bools, Floats
from models.zero_shot.metrics import auroc
from models.zero_shot.score_gate import text_score

QUANTILES = 101
SHOWN_LOST = (0.01, 0.05, 0.1)


@dataclass(frozen=True)
class Rejection:
    """`quantiles` (Q,) of the scores of right answers, rising."""

    quantiles: Floats

    @classmethod
    def fit(cls, scores: Floats, right: Bools) -> Self:
        """Fit to the scores (N,) of clips whose action is among the candidates; to all of them when none is right."""
        return cls(np.quantile(scores[right] if right.any() else scores, np.linspace(0, 1, QUANTILES)))

    def threshold(self, lost: float) -> float:
        """The score below which a clip shows none of the candidates, when `lost` (0 to 1) of right answers may go."""
        return float(np.interp(lost, np.linspace(0, 1, len(self.quantiles)), self.quantiles))

    def measured(self, scores: Floats, right: Bools, left_out: Floats, seen: Floats) -> dict[str, Any]:
        """How well it works, in percent; 50 % AUROC is a guess.

        scores, right: (N,) of clips whose action is among the candidates. left_out: (N,) of the same clips without the
        text of their action. seen: of clips of seen actions.
        """
        measured: dict[str, Any] = {
            "auroc": {name: _auroc(scores, others) for name, others in (("left_out", left_out), ("seen", seen))}
        }
        for lost in SHOWN_LOST:
            least = self.threshold(lost)
            measured[f"at_{100 * lost:g}"] = {
                "lost": _share(scores[right] < least),
                "left_out": _share(left_out < least),
                "seen": _share(seen < least),
            }
        return measured


def left_out_score(probabilities: Floats, seen: int, column: NDArray[np.int64]) -> Floats:
    """`text_score` without each clip's own text. (N, A), (N,) -> (N,).

    `column` is the own text's among the A, or -1 for a clip whose action is none of the candidates.
    """
    without = probabilities.copy()
    rows = np.flatnonzero(column >= seen)
    without[rows, column[rows]] = 0
    return text_score(without, seen)


def _auroc(scores: Floats, others: Floats) -> float:
    return auroc(np.concatenate((scores, others)), np.arange(len(scores) + len(others)) < len(scores))


def _share(flags: NDArray[Any]) -> float:
    return 100 * float(flags.mean()) if len(flags) else 0.0
