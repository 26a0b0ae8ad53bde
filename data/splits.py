"""Splits: which actions are seen, unseen and pseudo-unseen.

Actions are numbered from 1, as in the file names (A001 -> 1). A *split* divides actions, a *protocol* (protocols.py)
divides clips. The named splits are those of SynSE (also used by MSF-GZSSAR, SA-DVAE and FS-VAE), PURLS, SMIE (also used
by STAR), SA-DVAE and, on PKU-MMD, two more that the field uses.
"""

import difflib
import itertools
import json
import math
import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

import numpy as np

from data.errors import DataError
from data.random_streams import PSEUDO_UNSEEN_ACTIONS, RANDOM_SPLITS
from data.settings import DatasetSettings

NUM_ACTIONS = {"ntu60": 60, "ntu120": 120, "pku51": 51}
CUSTOM = "custom"
VAL_UNSEEN_DRAW = "2"  # changed when a seed would draw other pseudo-unseen actions than before
DRAWN_SHARE = 0.25  # at most this share of the seen actions is drawn as pseudo-unseen; as in ntu120-synse-96-24


@dataclass(frozen=True)
class Split:
    """The seen, unseen and pseudo-unseen actions of a data set, each sorted. `val_unseen` is a part of `seen`."""

    name: str
    seen: tuple[int, ...]
    unseen: tuple[int, ...]
    val_unseen: tuple[int, ...]
    val_unseen_drawn: bool  # drawn by seed, because the split names no pseudo-unseen actions

    @property
    def actions(self) -> tuple[int, ...]:
        """All actions, sorted."""
        return tuple(sorted(self.seen + self.unseen))


def action_label(action: int) -> str:
    """1 -> "A001"."""
    return f"A{action:03d}"


def parse_action(text: str) -> int:
    """ "A001" -> 1. Raises DataError for anything else."""
    match = re.fullmatch(r"A([0-9]{3})", text)
    if match is None or int(match[1]) == 0:
        raise DataError(f'"{text}" is not an action; write its number, as "A001", which the descriptions give')
    return int(match[1])


@cache
def _named_splits() -> dict[str, Any]:
    table: dict[str, Any] = json.loads(resources.files("data").joinpath("splits.json").read_text("utf-8"))
    return table


def split_names() -> tuple[str, ...]:
    """The named splits, in the order in which they were published."""
    return tuple(_named_splits())


def known_splits(given: str) -> str:
    """For a message about `given`, which is no split: the split of the closest name, and where all names stand."""
    close = difflib.get_close_matches(given.lower(), split_names(), n=1)
    question = f'do you mean "{close[0]}"? ' if close else ""
    return f'{question}named splits are {", ".join(_without_number(split_names()))}; your own is "{CUSTOM}"'


def _without_number(names: Collection[str]) -> list[str]:
    """The splits of a family under one name: "ntu60-smie-55-5-{1,2,3}"."""
    members: dict[str, list[str]] = {}
    for name in names:
        members.setdefault(split_family(name), []).append(name.rpartition("-")[2])
    return [f"{name}-{{{','.join(numbers)}}}" if len(numbers) > 1 else name for name, numbers in members.items()]


def split_dataset(name: str) -> str:
    """Returns the data set of a named split: ntu60, ntu120 or pku51."""
    return str(_named_splits()[name]["dataset"])


def splits_named(name: str) -> tuple[str, ...]:
    """Return the named split `name`; of a family, as ntu60-smie-55-5, its members -1, -2 and -3. Empty for others."""
    return tuple(split for split in split_names() if name in (split, split_family(split)))


def split_family(name: str) -> str:
    """Return the family of a named split, whose members differ in a last number: "ntu60-smie-55-5"; else `name`."""
    match = re.fullmatch(r"(.+-[0-9]+-[0-9]+)-[0-9]", name)
    return match[1] if match else name


def draws_val_unseen(settings: DatasetSettings) -> bool:
    """Whether the split that `settings` name leaves its pseudo-unseen actions to be drawn by the seed."""
    if settings.split == CUSTOM:
        return not settings.val_unseen
    entry = _named_splits().get(settings.split)
    return entry is not None and not entry["val_unseen"]


def resolve_split(settings: DatasetSettings, actions: Collection[int], seed: int) -> Split:
    """Returns the split that `settings` name.

    A named split divides all actions of its data set, a custom split divides `actions`. When the split names no
    pseudo-unseen actions, they are drawn from the seen ones by `seed`. Raises DataError when an action is unknown, is
    listed twice, or is both unseen and pseudo-unseen; when too few actions remain for training; or when the split is
    one of another data set.
    """
    if settings.split == CUSTOM:
        all_actions = tuple(sorted(set(actions)))
        unseen, val_unseen = (_actions(key, getattr(settings, key)) for key in ("unseen", "val_unseen"))
        if not unseen:
            raise DataError('dataset.split is "custom", but dataset.unseen is empty: list the actions that are unseen')
    else:
        all_actions, unseen, val_unseen = _named(settings)
    _check(all_actions, unseen, val_unseen)
    seen = tuple(action for action in all_actions if action not in unseen)
    drawn = not val_unseen
    if drawn:
        val_unseen = _draw(seen, len(unseen), seed)
    return Split(settings.split, seen, tuple(sorted(unseen)), tuple(sorted(val_unseen)), drawn)


def _named(settings: DatasetSettings) -> tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]]:
    """Returns all, unseen and pseudo-unseen actions of a named split."""
    entry = _named_splits().get(settings.split)
    if entry is None:
        raise DataError(f'dataset.split = "{settings.split}" is not a split; {known_splits(settings.split)}')
    if entry["dataset"] != settings.name:
        raise DataError(
            f'dataset.split = "{settings.split}" divides {entry["dataset"]}, but dataset.name = "{settings.name}": '
            f'change one of them, or use split = "{CUSTOM}"'
        )
    if settings.unseen or settings.val_unseen:
        raise DataError(
            f'dataset.unseen and dataset.val_unseen are only for split = "{CUSTOM}", not for "{settings.split}"'
        )
    return tuple(range(1, NUM_ACTIONS[settings.name] + 1)), tuple(entry["unseen"]), tuple(entry["val_unseen"])


def _actions(key: str, labels: Sequence[str]) -> tuple[int, ...]:
    try:
        actions = tuple(parse_action(label) for label in labels)
    except DataError as error:
        raise DataError(f"dataset.{key}: {error}") from error
    repeated = {action for action in actions if actions.count(action) > 1}
    if repeated:
        raise DataError(f"dataset.{key} lists {_labels(repeated)} twice")
    return actions


def _labels(actions: Collection[int]) -> str:
    return ", ".join(action_label(action) for action in sorted(actions))


def _check(all_actions: Collection[int], unseen: Collection[int], val_unseen: Collection[int]) -> None:
    for key, actions in (("unseen", unseen), ("val_unseen", val_unseen)):
        unknown = set(actions) - set(all_actions)
        if unknown:
            raise DataError(f"dataset.{key} names {_labels(unknown)}, but the data set has only {_labels(all_actions)}")
    overlap = set(unseen) & set(val_unseen)
    if overlap:
        raise DataError(
            f"{_labels(overlap)} is in dataset.unseen and in dataset.val_unseen; pseudo-unseen actions must be seen"
        )
    num_training = len(all_actions) - len(unseen) - len(val_unseen)
    if num_training < 2:
        raise DataError(
            f"the val phase would train on {max(num_training, 0)} of {len(all_actions)} actions; at least 2 are needed"
        )


def _draw(seen: Sequence[int], num_unseen: int, seed: int) -> tuple[int, ...]:
    """Draws as many pseudo-unseen actions as there are unseen ones, but at most a quarter of the seen ones.

    At least two are drawn, so that there is something to choose between; of three seen actions only one is.
    """
    number = _num_drawn(len(seen), num_unseen)
    chosen = PSEUDO_UNSEEN_ACTIONS.generator(seed).choice(np.asarray(seen), size=number, replace=False)
    return tuple(int(action) for action in np.sort(chosen))


def _num_drawn(num_seen: int, num_unseen: int) -> int:
    """Returns how many pseudo-unseen actions are drawn. Raises DataError when too few would be left."""
    number = max(1 if num_seen < 4 else 2, min(num_unseen, int(DRAWN_SHARE * num_seen)))
    if num_seen - number < 2:
        raise DataError(
            f"{num_seen} seen actions are too few to hold {number} back as pseudo-unseen; at least 3 are needed"
        )
    return number


def random_splits(
    actions: Collection[int], number: int, num_unseen: int, seed: int
) -> list[tuple[tuple[int, ...], tuple[int, ...]]]:
    """Draws `number` splits of `actions`: the unseen and the pseudo-unseen actions of each, both sorted.

    No two have the same unseen actions. A larger `number` keeps the earlier ones. Raises DataError when there are too
    few actions for it.
    """
    pool = np.asarray(sorted(actions), np.int64)
    if num_unseen > len(pool) - 3 or math.comb(len(pool), num_unseen) < number:
        raise DataError(
            f"{number} different sets of {num_unseen} unseen actions can't be drawn from {len(pool)} actions, of which "
            "at least 3 must stay seen: ask for fewer sets, or for fewer unseen actions"
        )
    num_drawn = _num_drawn(len(pool) - num_unseen, num_unseen)
    drawn: dict[tuple[int, ...], tuple[int, ...]] = {}
    for draw in itertools.count(1):
        if len(drawn) == number:
            break
        order = RANDOM_SPLITS.generator(seed, draw).permutation(pool).tolist()
        unseen, rest = tuple(sorted(order[:num_unseen])), order[num_unseen:]
        drawn.setdefault(unseen, tuple(sorted(rest[:num_drawn])))
    return list(drawn.items())
