"""Actions that a user gives in words: "label | local | global", or a CSV of them.

Their texts are encoded by the same encoder that made text.h5.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from data.splits import action_label
from descriptions.errors import DescriptionError
from descriptions.levels import LEVELS
from descriptions.loader import UNDECODED, read_descriptions
from models.text.settings import TextSettings
from pipeline.messages.errors import PipelineError
from pipeline.workspace.context import Context
from pipeline.workspace.provenance import read_record

SEPARATOR = "|"
FORM = f'"{f" {SEPARATOR} ".join(LEVELS)}"'


@dataclass(frozen=True)
class GivenAction:
    """An action in words. `name` is unique. `texts` are its texts by level; one of them is the "label"."""

    name: str
    texts: Mapping[str, str]

    @property
    def label(self) -> str:
        """The action's text at the level "label"."""
        return self.texts["label"]


def parse_given(text: str, number: int, levels: Sequence[str]) -> GivenAction:
    """Read "label | local | global", the user's action `number`, from 1.

    It is named new-1. Parts that are not among the `levels` in use may be left out. Raises DescriptionError that says
    the form.
    """
    parts = [part.strip() for part in text.split(SEPARATOR)]
    if len(parts) > len(LEVELS):
        raise DescriptionError(f'--action "{text}": {len(parts)} parts between {SEPARATOR}, where {_wanted(levels)}')
    return given_action(dict(zip(LEVELS, parts, strict=False)), number, levels)


def given_action(texts: Mapping[str, str], number: int, levels: Sequence[str]) -> GivenAction:
    """The action new-`number` with these texts by level.

    Raises DescriptionError when one that is wanted is empty, or `texts` are not texts by level.
    """
    if not isinstance(texts, Mapping) or not all(isinstance(text, str) for text in texts.values()):
        raise DescriptionError(f"action {number} is {str(texts)[:60]!r}; a dictionary of texts by level is wanted")
    undecoded = [level for level, text in texts.items() if UNDECODED.search(text)]
    if undecoded:
        raise DescriptionError(
            f"action {number}: {' and '.join(undecoded)} is not UTF-8; is the locale (PYTHONUTF8=1)?"
        )
    unknown = set(texts) - set(LEVELS)
    lacking = [level for level in LEVELS if level in {"label", *levels} and not texts.get(level, "").strip()]
    if lacking or unknown:
        fault = f"without {' and '.join(lacking)}" if lacking else f"with unknown levels {', '.join(sorted(unknown))}"
        label = texts.get("label", "").strip()
        raise DescriptionError(f"action {number}{f' ({label})' if label else ''} comes {fault}; {_wanted(levels)}")
    return GivenAction(f"new-{number}", {level: text.strip() for level, text in texts.items() if text.strip()})


def read_given(path: Path, run_actions: Sequence[int]) -> list[GivenAction]:
    """Return the actions in a description file, under their names in the file (A001).

    Raises DescriptionError when the file is faulty, or when an action has the number of one of `run_actions`.
    """
    texts = read_descriptions(path)
    twice = [action_label(action) for action in texts if action in run_actions]
    if twice:
        raise DescriptionError(
            f"{path}: {', '.join(twice)} {'is an action' if len(twice) == 1 else 'are actions'} of the run already; "
            "give your actions other numbers, or use --mode given, which leaves the run's own actions out"
        )
    return [GivenAction(action_label(action), row) for action, row in texts.items()]


def require_distinct(actions: Sequence[GivenAction]) -> None:
    """Raise DescriptionError when two actions have the same name or the same label: an answer would be ambiguous."""
    for kind, values in (("named", [a.name for a in actions]), ("called", [a.label.casefold() for a in actions])):
        for value in values:
            if values.count(value) > 1:
                raise DescriptionError(f'two of the given actions are {kind} "{value}"; each needs one of its own')


def require_other_labels(actions: Sequence[GivenAction], own: Mapping[int, str]) -> None:
    """Raise DescriptionError when one of `actions` has the label of an action of the run; `own` are those labels."""
    names = {label.casefold(): action for action, label in own.items()}
    for action in actions:
        if (number := names.get(action.label.casefold())) is not None:
            raise DescriptionError(
                f'"{action.label}" is the label of {action_label(number)}, an action of the run already, so that an '
                "answer of this label would be ambiguous; give your action another label, or use --mode given, which "
                "leaves the run's own actions out"
            )


class GivenTexts:
    """The encoder that made text.h5, loaded once. It encodes each text once, as long as it lives."""

    def __init__(self, context: Context) -> None:
        """Load it; `context` has the settings that made text.h5. Raises PipelineError when that of now is another."""
        from pipeline.stages.embed_text import ENCODER_FINGERPRINT, earlier_rows, load_encoder_of

        self._context = context
        name, path = context.config.text.encoder, context.workspace.text
        record = read_record(path)
        if ENCODER_FINGERPRINT not in record:
            raise PipelineError(
                f"{path} was imported, so that its encoder can't encode new texts here; run "
                "`fsvae-pipe embed-text --force`, then `fsvae-pipe run`"
            )
        self._encoder = load_encoder_of(context)
        fingerprint = self._encoder.fingerprint()
        if fingerprint != record[ENCODER_FINGERPRINT]:
            raise PipelineError(
                f"{name} as installed here is not the encoder that made {path} (its weights, "
                "tokeniser or libraries differ); run `fsvae-pipe embed-text --force`, then `fsvae-pipe run`"
            )
        self._rows = earlier_rows(context, fingerprint)

    def features(self, actions: Sequence[GivenAction]) -> NDArray[np.float32]:
        """Return the text features of `actions`, their levels concatenated, then L2-normalised: (actions, D_t).

        Raises DescriptionError when the encoder can't read a text, or two actions have the same features.
        """
        from pipeline.phases.features_and_texts import joined_levels
        from pipeline.phases.readable_texts import require_readable, same_features
        from pipeline.stages.embed_text import encode_levels

        settings = self._context.config.text
        texts = {number: action.texts for number, action in enumerate(actions, start=1)}
        labels = [action.label for action in actions]
        require_readable(self._encoder, texts, settings, dict(enumerate(labels, start=1)))
        features, _ = encode_levels(self._context, self._encoder, texts, self._rows)
        joined = joined_levels([features[level] for level in settings.levels])
        for group in same_features(joined, labels):
            raise DescriptionError(
                f"the given actions {', '.join(group)} have the same text features, so that nothing tells them apart; "
                f"give each its own text at {' or '.join(settings.levels)}"
            )
        return joined


def used_levels(settings: TextSettings) -> tuple[str, ...]:
    """Return the levels that a given action must have."""
    return tuple(dict.fromkeys(("label", *settings.levels)))


def _wanted(levels: Sequence[str]) -> str:
    without = [level for level in LEVELS if level not in {"label", *levels}]
    remark = f" ({' and '.join(without)} may be left empty: the run does not use it)" if without else ""
    example = f"drink water {SEPARATOR} one hand rises to the mouth {SEPARATOR} a person ..."
    return f'{FORM} is wanted{remark}, as in "{example}"'
