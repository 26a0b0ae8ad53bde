"""Answers of windows that overlap -> segments: one action from a time to another. The method is ours.

1. Each step of a stride takes the mean of the log-probabilities of all windows that its middle lies in. A probability
   counts as at least FLOOR, so that one window alone rules no action out. The step's probabilities then add up to 1.
2. Viterbi finds the actions with the largest sum, over steps, of log-probability times stride / window, less
   SWITCH_PENALTY for each change of action. The factor makes the result the same whatever the stride: the time of one
   window counts as one answer.
3. A segment shorter than half a window is joined to that of its neighbours whose action is likelier in it, the shortest
   first.

FLOOR and SWITCH_PENALTY were chosen on twelve recordings of ten made actions each, by the share of time that got the
right action and the number of segments; near them, both change little.

A step in no answered window stays empty and parts the segments. Letters: W windows, J steps, A actions.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

FLOOR = 1e-2
SWITCH_PENALTY = 1.0  # in log-probability of one window

Floats = NDArray[np.float64]
Actions = NDArray[np.int64]


@dataclass(frozen=True)
class Stretch:
    """Steps `first` to before `end` show the action with this index; `probability` is its mean over them."""

    first: int
    end: int
    action: int
    probability: float


def step_edges(duration_s: float, stride_s: float) -> Floats:
    """Return the times (J + 1,) between the steps of a recording; the last step may be shorter."""
    steps = max(1, int(np.ceil(duration_s / stride_s - 1e-6)))
    edges_s: Floats = np.append(np.arange(steps) * stride_s, duration_s)
    return edges_s


def step_log_probabilities(edges_s: Floats, spans_s: Floats, probabilities: NDArray[np.floating]) -> Floats:
    """Edges (J + 1,), spans of windows (W, 2) and their probabilities (W, A) -> log-probabilities of steps (J, A).

    The row of a window without an answer is NaN, and so is that of a step in no answered window.
    """
    middles_s = (edges_s[:-1] + edges_s[1:]) / 2  # (J,)
    sums = np.zeros((len(middles_s), probabilities.shape[1]))  # (J, A)
    counts = np.zeros(len(middles_s))
    for first, end, row in zip(*np.searchsorted(middles_s, spans_s.T), probabilities, strict=True):
        if not np.isnan(row).any():
            sums[first:end] += np.log(np.maximum(row, FLOOR))
            counts[first:end] += 1
    with np.errstate(invalid="ignore"):
        means = sums / counts[:, None]
    largest = means.max(axis=1, keepdims=True)
    log_sums: Floats = means - largest - np.log(np.exp(means - largest).sum(axis=1, keepdims=True))
    return log_sums


def stretches(log_probabilities: Floats, window_steps: float) -> list[Stretch]:
    """Return the segments in log-probabilities of steps (J, A); a window has `window_steps` steps."""
    known = np.asarray(~np.isnan(log_probabilities).any(axis=1))  # (J,)
    found = []
    for first, end in _runs(known):
        if known[first]:
            part = log_probabilities[first:end]
            path = join_short(viterbi(part / window_steps, SWITCH_PENALTY), part, window_steps / 2)
            for start, stop in _runs(path):
                action = int(path[start])
                probability = float(np.exp(part[start:stop, action]).mean())
                found.append(Stretch(first + start, first + stop, action, probability))
    return found


def viterbi(scores: Floats, penalty: float) -> Actions:
    """Return the actions (J,) with the largest sum of `scores` (J, A) less `penalty` for each change."""
    steps, actions = scores.shape
    came_from = np.zeros((steps, actions), np.int32)
    best = scores[0]  # (A,) of the best path that ends in each action
    for step in range(1, steps):
        top = int(best.argmax())
        stays = best >= best[top] - penalty
        came_from[step] = np.where(stays, np.arange(actions), top)
        best = np.where(stays, best, best[top] - penalty) + scores[step]
    path = np.zeros(steps, np.int64)
    path[-1] = best.argmax()
    for step in range(steps - 1, 0, -1):
        path[step - 1] = came_from[step, path[step]]
    return path


def join_short(path: Actions, log_probabilities: Floats, least_steps: float) -> Actions:
    """Return `path` (J,) without segments shorter than `least_steps`, unless a single one is left."""
    path = path.copy()
    while True:
        runs = _runs(path)
        length, first, end = min((end - first, first, end) for first, end in runs)
        if len(runs) == 1 or length >= least_steps - 1e-6:
            return path
        neighbours = [path[at] for at in (first - 1, end) if 0 <= at < len(path)]
        path[first:end] = max(neighbours, key=lambda action: log_probabilities[first:end, action].sum())


def _runs(values: NDArray[np.generic]) -> list[tuple[int, int]]:
    """Return where runs of equal values begin and end."""
    edges = np.flatnonzero(values[1:] != values[:-1]) + 1
    return list(zip([0, *edges.tolist()], [*edges.tolist(), len(values)], strict=True))
