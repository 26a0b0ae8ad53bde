"""predictions.h5: the scores of every test clip, and the gate and classifier that `predict` uses.

N scored clips of the test phase, S seen actions, U unseen actions:

    name            (N,) string
    action          (N,) int64       1-based
    seen_actions    (S,) int64
    unseen_actions  (U,) int64
    seen_logits     (N, S) float32   the backbone's, columns as seen_actions
    distance/centre (D,) float32, distance/matrix (D, D), distance/means (S, D)   what the gate's distance is computed
                                     from: the nearest of `means` to (feature - centre) matrix

and for each seed and selection rule a group SEED/RULE, whose attributes `first_cycle` and `cycle` are the first and the
last of the cycles that the rule took. SEED is also "ensemble", where there are several seeds; that has no scorer and no
all_texts, which its seeds have:

    unseen_probabilities  (N, U) float32   probabilities of the scorer, columns in the order of unseen_actions
    gate                  (N,) float32     the fitted gate's probability that the action is unseen
    zsl_action            (N,) int64       the predicted action among the unseen ones
    gzsl_action           (N,) int64       the predicted action among all, with the fitted gate
    zsl_confusion         (U, U) int64     clips of unseen actions; rows actual, columns predicted, actions sorted
    gzsl_confusion        (S + U, S + U) int64   all clips; the same
    gate_fit/NAME         float64          the fitted gate; kind "scores": quantiles (3, Q) and threshold; published:
                                           weights (2 top,) of the `top` largest unseen, then seen probabilities, bias
                                           and top
    scorer/NAME           float32          what the aligner fitted for the unseen texts, where it fits anything
    all_texts/NAME        float32          what it fitted for the texts of all actions, seen ones first
    rejection/quantiles   (Q,) float64     of how much better than a seen action's the text of a right answer fits, in
                                           the val phase; only where a scorer sees all texts
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal, TypeVar

import h5py
import numpy as np
from numpy.typing import NDArray

from data.errors import DataError
from data.stores import h5

Task = Literal["ZSL", "GZSL"]  # unseen clips among unseen actions; all clips among all actions
Number = TypeVar("Number", np.float32, np.float64)
ENSEMBLE: Final = "ensemble"  # the name of all seeds together, whose log-probabilities are averaged
SeedName = int | Literal["ensemble"]
COLUMNS = ("unseen_probabilities", "gate", "zsl_action", "gzsl_action")


@dataclass(frozen=True)
class SeedPredictions:
    """The scores of one seed, or of the ensemble, under one selection rule; shapes as in the module's docstring."""

    seed: SeedName
    cycle: int
    unseen_probabilities: NDArray[np.float32]  # (N, U)
    gate: NDArray[np.float32]  # (N,), probability of unseen
    zsl_action: NDArray[np.int64]  # (N,)
    gzsl_action: NDArray[np.int64]  # (N,), with the fitted gate

    def predicted(self, task: Task) -> NDArray[np.int64]:
        """The predicted action of each clip in `task`, (N,)."""
        return self.zsl_action if task == "ZSL" else self.gzsl_action


@dataclass(frozen=True)
class Decision:
    """What decides for a seed, or the ensemble, and a rule: gate, cycles, and what the aligner fitted for the texts."""

    gate: Mapping[str, NDArray[np.float64]]
    cycles: tuple[int, ...]  # from 1
    distance: Mapping[str, NDArray[np.float32]]
    scorer: Mapping[str, NDArray[np.float32]]  # for the unseen texts
    all_texts: Mapping[str, NDArray[np.float32]]  # for the texts of all actions, seen ones first
    rejection: Mapping[str, NDArray[np.float64]] = field(default_factory=dict)


@dataclass(frozen=True)
class Confusions:
    """Counts of clips: rows actual, columns predicted, actions sorted."""

    zsl: NDArray[np.int64]  # (U, U)
    gzsl: NDArray[np.int64]  # (S + U, S + U)


@dataclass(frozen=True)
class Predictions:
    """The scored clips, and the scores of every seed under one selection rule."""

    name: NDArray[np.str_]  # (N,)
    action: NDArray[np.int64]  # (N,)
    seen_actions: NDArray[np.int64]  # (S,)
    unseen_actions: NDArray[np.int64]  # (U,)
    seen_logits: NDArray[np.float32]  # (N, S)
    seeds: tuple[SeedPredictions, ...]

    @property
    def is_unseen(self) -> NDArray[np.bool_]:
        """Which clips show an unseen action, (N,)."""
        return np.isin(self.action, self.unseen_actions)

    def scored_clips(self, task: Task) -> NDArray[np.bool_]:
        """Which clips are scored in `task`, (N,): in ZSL those of unseen actions, in GZSL all."""
        return self.is_unseen if task == "ZSL" else np.ones(len(self.name), dtype=bool)

    @property
    def seen_action(self) -> NDArray[np.int64]:
        """The seen action with the largest logit of the backbone, (N,)."""
        return np.asarray(self.seen_actions[self.seen_logits.argmax(axis=1)])


def write_clips(file: h5py.File, clips: Predictions, distance: Mapping[str, NDArray[np.float32]]) -> None:
    """Write what all seeds and rules share into a file that `h5.writing` has opened."""
    h5.write_strings(file, "name", clips.name)
    for name in ("action", "seen_actions", "unseen_actions", "seen_logits"):
        file.create_dataset(name, data=getattr(clips, name))
    for name, values in distance.items():
        file[f"distance/{name}"] = values


def write_seed(file: h5py.File, rule: str, scores: SeedPredictions, decision: Decision, confusions: Confusions) -> None:
    """Write the group of one seed and rule."""
    group = file.create_group(f"{scores.seed}/{rule}")
    group.attrs["first_cycle"], group.attrs["cycle"] = decision.cycles[0], decision.cycles[-1]
    for name in COLUMNS:
        group[name] = getattr(scores, name)
    group["zsl_confusion"], group["gzsl_confusion"] = confusions.zsl, confusions.gzsl
    fitted: Mapping[str, Mapping[str, NDArray[np.floating]]] = {
        "gate_fit": decision.gate,
        "scorer": decision.scorer,
        "all_texts": decision.all_texts,
        "rejection": decision.rejection,
    }
    for part, arrays in fitted.items():
        for name, values in arrays.items():
            group[f"{part}/{name}"] = values


def read_predictions(path: Path, seeds: Sequence[int], rule: str) -> Predictions:
    """Read the scores of `seeds` under `rule`. Raises DataError when the file is missing, damaged, or lacks a seed."""
    with h5.reading(path) as file:
        scores = []
        for seed in seeds:
            group = f"{seed}/{rule}"
            columns = [h5.read_array(file, f"{group}/{name}") for name in COLUMNS]
            scores.append(SeedPredictions(seed, int(h5.read_attribute(file, group, "cycle")), *columns))
        action, seen, unseen, logits = (
            h5.read_array(file, name) for name in ("action", "seen_actions", "unseen_actions", "seen_logits")
        )
        name = h5.read_strings(file, "name")
        h5.require_as_written(file)
    predictions = Predictions(name, action, seen, unseen, logits, tuple(scores))
    _require_fitting(path, predictions)
    return predictions


def _require_fitting(path: Path, predictions: Predictions) -> None:
    """Raise DataError when a dataset has not a row for each clip, or not a column for each action."""
    clips, seen, unseen = len(predictions.name), len(predictions.seen_actions), len(predictions.unseen_actions)
    wanted = {"action": (clips,), "seen_logits": (clips, seen)}
    shapes = {name: getattr(predictions, name).shape for name in wanted}
    for scores in predictions.seeds:
        for name in COLUMNS:
            wanted[f"{scores.seed}/{name}"] = (clips, unseen) if name == "unseen_probabilities" else (clips,)
            shapes[f"{scores.seed}/{name}"] = getattr(scores, name).shape
    wrong = [name for name, shape in shapes.items() if shape != wanted[name]]
    if wrong:
        raise DataError(
            f"{path}: {wrong[0]} has shape {shapes[wrong[0]]}, where {wanted[wrong[0]]} fits its {clips} clips, {seen} "
            f"seen and {unseen} unseen actions; delete it and run `fsvae-pipe evaluate` again"
        )


def read_decisions(path: Path, seeds: Sequence[SeedName], rule: str) -> dict[SeedName, Decision]:
    """Read the gates and the scorers' arrays of `seeds` under `rule`. Raises DataError as `read_predictions` does."""
    decisions: dict[SeedName, Decision] = {}
    with h5.reading(path) as file:
        distance = _arrays(file, "distance", np.float32)
        for seed in seeds:
            group = f"{seed}/{rule}"
            first, last = (int(h5.read_attribute(file, group, name)) for name in ("first_cycle", "cycle"))
            decisions[seed] = Decision(
                _arrays(file, f"{group}/gate_fit", np.float64),
                tuple(range(first, last + 1)),
                distance,
                _arrays(file, f"{group}/scorer", np.float32),
                _arrays(file, f"{group}/all_texts", np.float32),
                _arrays(file, f"{group}/rejection", np.float64),
            )
        h5.require_as_written(file)
    return decisions


def _arrays(file: h5py.File, group: str, dtype: type[Number]) -> dict[str, NDArray[Number]]:
    """The arrays in `group`, none where there is no such group."""
    above, _, name = group.rpartition("/")
    names = h5.group_names(file, group) if name in h5.group_names(file, above) else []
    return {name: h5.read_array(file, f"{group}/{name}", dtype) for name in names}
