"""Which actions of another data set a given backbone knows, and their texts.

`backbone.known` names them; a checkpoint that this program trained says it in its record. Training can learn from them:
`extract` stores the weights of their classes in features/PHASE.h5, and `embed-text` their text features in text.h5.
Classes of the data set itself never count: among them are the unseen actions.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass

from data.clip_name import MAX_NUMBER
from data.splits import NUM_ACTIONS, action_label
from descriptions.errors import DescriptionError
from descriptions.loader import builtin_descriptions, read_descriptions
from pipeline.messages.errors import PipelineError
from pipeline.phases.phase import missing_actions
from pipeline.phases.texts_in_use import BUILTIN_TEXTS
from pipeline.workspace.context import Context
from pipeline.workspace.tensor_store import read_tensor_record

UNUSED = "none"  # the value of backbone.known with which training does not learn from them
KNOWN_SOURCE = "known_source"  # key in the record of features/PHASE.h5
LEAST_KNOWN = 2  # weights are compared with their mean


@dataclass(frozen=True)
class NamedActions:
    """Known actions with their texts, in the order of the backbone's classes. `source` is a data set or a CSV."""

    source: str
    texts: Mapping[int, Mapping[str, str]]  # action -> level -> text

    @property
    def listed(self) -> str:
        """The numbers of the actions, for a fingerprint."""
        return " ".join(map(action_label, self.texts))


def known_actions(context: Context) -> NamedActions | None:
    """Return the actions that the backbone knows; None when it is trained here, or they are not to be used or unknown.

    Raises PipelineError when `backbone.known` does not fit, DataError when the checkpoint's record is damaged.
    """
    known, dataset = context.config.backbone.known, context.config.dataset.name
    key = f'backbone.known = "{known}"'
    if known == UNUSED or not context.config.backbone.weights:
        if known in ("", UNUSED):
            return None
        raise PipelineError(
            f"{key}, but backbone.weights is empty: the key says what the classes of that checkpoint stand for. Set "
            "backbone.weights, or take the key out"
        )
    trained_on, actions = _recorded(context)
    source = known or (trained_on if trained_on in NUM_ACTIONS else "")
    if not source:
        return None
    if trained_on == dataset or BUILTIN_TEXTS.get(source, source) == BUILTIN_TEXTS.get(dataset):
        if not known:
            return None
        raise PipelineError(
            f"{key}: these are actions of {dataset} itself. Training must not look at its unseen actions, so the key "
            "is only for checkpoints of other data sets; take it out"
        )
    if known in NUM_ACTIONS and trained_on in NUM_ACTIONS and known != trained_on:
        raise PipelineError(f"{key}, but the checkpoint says that it was trained on {trained_on}; take the key out")
    texts = _texts(context, source)
    if without := missing_actions(actions, texts):
        raise PipelineError(f"{key} has no text for {without}, on which the checkpoint was trained; add rows for them")
    texts = {action: texts[action] for action in actions or texts}
    if len(texts) < LEAST_KNOWN:
        raise PipelineError(f"{key} names {len(texts)} action; at least {LEAST_KNOWN} are wanted")
    return NamedActions(source, texts)


def recorded_actions(text: str, source: str) -> tuple[int, ...]:
    """Return the action of each class, from a record. Raises PipelineError when the record does not say it."""
    try:
        actions = json.loads(text)
    except (ValueError, RecursionError):
        actions = None
    if not isinstance(actions, list) or not all(type(action) is int and 0 < action <= MAX_NUMBER for action in actions):
        raise PipelineError(f"{source}: its record does not say the action of each class; save the checkpoint again")
    return tuple(actions)


def _recorded(context: Context) -> tuple[str, tuple[int, ...]]:
    """Return the data set and the actions in the checkpoint's record; "" and () when it has none."""
    weights = context.config.backbone.weights
    path = context.user_path(weights)
    if path.suffix != ".safetensors" or not path.is_file():
        return "", ()  # where it is missing, `extract` says so
    record = read_tensor_record(path)
    if "actions" not in record:
        return "", ()
    return record.get("dataset", ""), recorded_actions(record["actions"], f'backbone.weights = "{weights}": {path}')


def _texts(context: Context, source: str) -> Mapping[int, Mapping[str, str]]:
    """Return the texts of a data set, or of a CSV, sorted by action. Raises PipelineError when there are none."""
    if source in NUM_ACTIONS:
        texts = builtin_descriptions(BUILTIN_TEXTS[source])
        return {action: texts[action] for action in range(1, NUM_ACTIONS[source] + 1)}
    path = context.user_path(source)
    if not path.is_file():
        raise PipelineError(
            f'backbone.known = "{source}": neither one of {", ".join(NUM_ACTIONS)} nor a file ({path}). Name the data '
            "set that the checkpoint was trained on, or a CSV (action,label,local,global) with a row for each class"
        )
    try:
        return read_descriptions(path)
    except DescriptionError as error:
        raise PipelineError(f'backbone.known = "{source}": {error}') from error
