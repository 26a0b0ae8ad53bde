"""Can an encoder read the texts, and tell the actions apart by them?

It cuts a text that is longer than its context, and reads a word that its tokeniser does not know as the unknown token.
Where every word is unknown, all actions have the same features, and every result is a guess.
Letters: c actions, D features.
"""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from data.errors import DataError
from data.splits import action_label
from descriptions.errors import DescriptionError
from models.text.settings import PLACE, TextSettings
from models.text.sources import MULTILINGUAL
from models.text.text_encoder import TextEncoder

MOST_UNKNOWN = 0.2  # a text with this share of unknown tokens is refused
MOST_SHOWN = 20  # actions in a message
DIFFERENT_TEXTS = "write texts that differ, or set text.encoder to another encoder"
ROUNDING = 1e-6  # of features, relative to the largest

Texts = Mapping[int, Mapping[str, str]]  # action -> level -> text


def fill(template: str, text: str) -> str:
    """`text` in the words of `template`."""
    return template.replace(PLACE, text)


def too_long(encoder: TextEncoder, texts: Texts, settings: TextSettings) -> dict[int, str]:
    """Action -> what does not fit the encoder's context, with the templates put around it."""
    faults: dict[int, list[str]] = {}
    for level in settings.levels:
        templates = settings.templates.by_level()[level] or (PLACE,)
        for action, row in texts.items():
            tokens = max(encoder.count_tokens(fill(template, row[level])) for template in templates)
            if encoder.max_tokens is not None and tokens > encoder.max_tokens:
                faults.setdefault(action, []).append(
                    f"{level} is {tokens} tokens long, {encoder.name} reads {encoder.max_tokens}"
                )
    return {action: "; ".join(faults[action]) for action in sorted(faults)}


def unknown_words(encoder: TextEncoder, texts: Texts, settings: TextSettings) -> dict[int, str]:
    """Action -> which share of its texts' tokens is unknown to the encoder, where it is `MOST_UNKNOWN` or more."""
    faults: dict[int, str] = {}
    for action, row in texts.items():
        shares = {level: encoder.unknown_share(row[level]) for level in settings.levels}
        unknown = [f"{share:.0%} of {level}" for level, share in shares.items() if share >= MOST_UNKNOWN]
        if unknown:
            faults[action] = f"{', '.join(unknown)} is unknown to {encoder.name}"
    return faults


def require_readable(
    encoder: TextEncoder, texts: Texts, settings: TextSettings, names: Mapping[int, str] | None = None
) -> None:
    """Raise DescriptionError naming every text that the encoder would cut, or of which it does not know the words.

    names: what actions are called in the message, where it is not A001.
    """
    faults = too_long(encoder, texts, settings)
    if faults:
        raise DescriptionError(
            f"{_named(faults, names or {})}; shorten these texts (or their templates), then run `fsvae-pipe embed-text`"
        )
    faults = unknown_words(encoder, texts, settings)
    if faults:
        raise DescriptionError(f"{_named(faults, names or {})}; {other_language()}")


def other_language() -> str:
    """What to do about texts whose words the encoder does not know."""
    return (
        "features of such texts say nothing: write them in the language that text.encoder was made for, or set it to "
        f'one that reads yours, such as text.encoder = "{MULTILINGUAL}"'
    )


def require_told_apart(features: NDArray[np.float32], actions: Sequence[str]) -> None:
    """Raise DataError when all of `actions`, more than one, have the same `features` (c, D)."""
    if fault := not_told_apart(features, actions):
        raise DataError(f"{fault}; {DIFFERENT_TEXTS}, then run `fsvae-pipe embed-text`")


def not_told_apart(features: NDArray[np.float32], actions: Sequence[str]) -> str:
    """What is wrong when all of `actions`, more than one, have the same `features` (c, D); else ""."""
    spread = float(np.ptp(features, axis=0).max(initial=0))
    if len(features) < 2 or spread > ROUNDING * float(np.abs(features).max(initial=0)):
        return ""
    named = f"{', '.join(actions[:MOST_SHOWN])}{' ...' if len(actions) > MOST_SHOWN else ''}"
    return (
        f"{named} have the same text features, so that nothing tells them apart: their texts are the same, or the "
        "encoder can't read them"
    )


def same_features(features: NDArray[np.float32], actions: Sequence[str]) -> list[list[str]]:
    """The groups of `actions` whose rows of `features` (c, D) are the same."""
    groups: dict[bytes, list[str]] = {}
    for action, row in zip(actions, features, strict=True):
        groups.setdefault(row.tobytes(), []).append(action)
    return [group for group in groups.values() if len(group) > 1]


def _named(faults: Mapping[int, str], names: Mapping[int, str]) -> str:
    shown = [f"{names.get(action) or action_label(action)}: {fault}" for action, fault in faults.items()]
    more = [f"and {len(shown) - MOST_SHOWN} more"] if len(shown) > MOST_SHOWN else []
    return "; ".join([*shown[:MOST_SHOWN], *more])
