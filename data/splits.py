"""Which actions are seen, unseen and pseudo-unseen, and which clips train.

Actions are numbered from 1, as in the file names (A001 -> 1). A *split* divides actions, a *protocol* divides clips.
Named splits: SynSE (also used by MSF-GZSSAR, SA-DVAE and FS-VAE) and PURLS. Protocols: the official ones of NTU RGB+D.
"""

import json
import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

import numpy as np
from numpy.typing import NDArray

from data.errors import DataError
from data.random_streams import PSEUDO_UNSEEN_ACTIONS
from data.settings import DatasetSettings

NUM_ACTIONS = {"ntu60": 60, "ntu120": 120}
CUSTOM = "custom"
VAL_UNSEEN_DRAW = "2"  # changed when a seed would draw other pseudo-unseen actions than before
DRAWN_SHARE = 0.25  # of the seen actions at most, when a split names no pseudo-unseen ones; as in ntu120-synse-96-24


@dataclass(frozen=True)
class Split:
    """Seen and unseen actions, sorted; `val_unseen` is a part of `seen`."""

    name: str
    seen: tuple[int, ...]
    unseen: tuple[int, ...]
    val_unseen: tuple[int, ...]
    val_unseen_drawn: bool  # by seed, because the split names none

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
        raise DataError(f'"{text}" is no action; actions are written as in the file names, "A001"')
    return int(match[1])


@cache
def _table(name: str) -> dict[str, Any]:
    table: dict[str, Any] = json.loads(resources.files("data").joinpath(name).read_text("utf-8"))
    return table


def split_names() -> tuple[str, ...]:
    """The named splits, in the order of the literature."""
    return tuple(_table("splits.json"))


def split_dataset(name: str) -> str:
    """The data set that the named split divides: ntu60 or ntu120."""
    return str(_table("splits.json")[name]["dataset"])


def draws_val_unseen(settings: DatasetSettings) -> bool:
    """Whether the split that `settings` name leaves its pseudo-unseen actions to be drawn by the seed."""
    if settings.split == CUSTOM:
        return not settings.val_unseen
    entry = _table("splits.json").get(settings.split)
    return entry is not None and not entry["val_unseen"]


def resolve_split(settings: DatasetSettings, actions: Collection[int], seed: int) -> Split:
    """The split that `settings` name, checked against the `actions` that the data set holds.

    A named split divides all 60 or 120 actions; a custom one the actions given. Pseudo-unseen actions that a split
    does not name are drawn from the seen ones by `seed`. Raises DataError when a class is unknown, listed twice, or
    both seen and unseen, when nothing is left seen, or when the split belongs to another data set.
    """
    if settings.split == CUSTOM:
        everything = tuple(sorted(set(actions)))
        unseen, val_unseen = (_actions(key, getattr(settings, key)) for key in ("unseen", "val_unseen"))
        if not unseen:
            raise DataError('dataset.split is "custom", but dataset.unseen is empty: list the actions that are unseen')
    else:
        everything, unseen, val_unseen = _named(settings)
    _check(everything, unseen, val_unseen)
    seen = tuple(action for action in everything if action not in unseen)
    drawn = not val_unseen
    if drawn:
        val_unseen = _draw(seen, len(unseen), seed)
    return Split(settings.split, seen, tuple(sorted(unseen)), tuple(sorted(val_unseen)), drawn)


def _named(settings: DatasetSettings) -> tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]]:
    entry = _table("splits.json").get(settings.split)
    if entry is None:
        raise DataError(
            f'dataset.split = "{settings.split}" is not known; one of {", ".join(split_names())}, or "{CUSTOM}"'
        )
    if entry["dataset"] != settings.name:
        raise DataError(
            f'dataset.split = "{settings.split}" divides {entry["dataset"]}, but dataset.name = "{settings.name}": '
            f'change one of them, or use split = "{CUSTOM}"'
        )
    if settings.unseen or settings.val_unseen:
        raise DataError(
            f'dataset.unseen and dataset.val_unseen go with split = "{CUSTOM}", not with "{settings.split}"'
        )
    return tuple(range(1, NUM_ACTIONS[settings.name] + 1)), tuple(entry["unseen"]), tuple(entry["val_unseen"])


def _actions(key: str, labels: Sequence[str]) -> tuple[int, ...]:
    try:
        actions = tuple(parse_action(label) for label in labels)
    except DataError as error:
        raise DataError(f"dataset.{key}: {error}") from error
    twice = sorted({action for action in actions if actions.count(action) > 1})
    if twice:
        raise DataError(f"dataset.{key} lists {_labels(twice)} twice")
    return actions


def _labels(actions: Collection[int]) -> str:
    return ", ".join(action_label(action) for action in sorted(actions))


def _check(everything: Collection[int], unseen: Collection[int], val_unseen: Collection[int]) -> None:
    for key, actions in (("unseen", unseen), ("val_unseen", val_unseen)):
        unknown = set(actions) - set(everything)
        if unknown:
            raise DataError(f"dataset.{key} names {_labels(unknown)}, but the data set has only {_labels(everything)}")
    both = set(unseen) & set(val_unseen)
    if both:
        raise DataError(
            f"{_labels(both)} is in dataset.unseen and in dataset.val_unseen: pseudo-unseen actions are seen ones"
        )
    left = len(everything) - len(unseen) - len(val_unseen)
    if left < 2:
        raise DataError(
            f"of {len(everything)} actions {max(left, 0)} would be left to train the val phase on; "
            "at least 2 are needed"
        )


def _draw(seen: Sequence[int], num_unseen: int, seed: int) -> tuple[int, ...]:
    """As many pseudo-unseen actions as unseen ones, but at most a quarter of the seen ones.

    At least two, between which something can be chosen; one of three seen actions.
    """
    number = max(1 if len(seen) < 4 else 2, min(num_unseen, int(DRAWN_SHARE * len(seen))))
    if len(seen) - number < 2:
        raise DataError(
            f"{len(seen)} seen actions are too few to hold {number} back as pseudo-unseen; at least 3 are needed"
        )
    chosen = PSEUDO_UNSEEN_ACTIONS.generator(seed).choice(np.asarray(seen), size=number, replace=False)
    return tuple(int(action) for action in np.sort(chosen))


def training_clips(
    settings: DatasetSettings, setup: NDArray[np.integer], camera: NDArray[np.integer], subject: NDArray[np.integer]
) -> NDArray[np.bool_]:
    """Which of N clips are in the protocol's training part; all others are its test part.

    `setup`, `camera` and `subject` are (N,). Raises DataError when the protocol does not fit the data set, when it
    lists by your own hand what no clip has, or when either part has no clip.
    """
    listed = _protocol(settings)
    train = np.zeros(len(subject), dtype=bool)
    for key, values in (("setups", setup), ("cameras", camera), ("subjects", subject)):
        wanted = listed.get(f"train_{key}", ())
        unknown = np.setdiff1d(wanted, values)
        if settings.protocol == CUSTOM and 0 < len(unknown) < len(wanted):
            raise DataError(
                f"dataset.train_{key} names {', '.join(map(str, unknown))}, but there are clips of {key} "
                f"{', '.join(map(str, np.unique(values)))} alone; take out what is not there"
            )
        train |= np.isin(values, wanted)
    for part, clips in (("training", train), ("test", ~train)):
        if not clips.any():
            found = {"subjects": subject, "cameras": camera, "setups": setup}
            kinds = ", ".join(f"{key} {np.unique(values).tolist()}" for key, values in found.items())
            raise DataError(
                f'protocol "{settings.protocol}" leaves 0 of {len(train)} clips in its {part} part '
                f"(training: {listed}; found: {kinds}); change dataset.protocol or its train_ lists"
            )
    return train


def _protocol(settings: DatasetSettings) -> dict[str, Sequence[int]]:
    keys = ("train_subjects", "train_cameras", "train_setups")
    own = {key: getattr(settings, key) for key in keys if getattr(settings, key)}
    if settings.protocol == CUSTOM:
        if len(own) != 1:
            raise DataError(f'dataset.protocol = "{CUSTOM}" takes exactly one of {", ".join(keys)}; found {len(own)}')
        return own
    if own:
        raise DataError(f'dataset.{next(iter(own))} goes with protocol = "{CUSTOM}", not with "{settings.protocol}"')
    official = _table("protocols.json").get(settings.name, {})
    if settings.protocol not in official:
        allowed = [*official, CUSTOM]
        raise DataError(
            f'dataset.protocol = "{settings.protocol}" is not defined for dataset.name = "{settings.name}"; '
            f"use {' or '.join(allowed)}"
        )
    listed: dict[str, Sequence[int]] = official[settings.protocol]
    return listed
