"""Reads the texts of a workspace: the built-in ones of its data set, or the CSV that dataset.descriptions names."""

from collections.abc import Collection, Mapping

from data.splits import NUM_ACTIONS
from descriptions.loader import builtin_descriptions, read_descriptions
from pipeline.messages.errors import PipelineError
from pipeline.phases.phase import missing_actions
from pipeline.workspace.context import Context

BUILTIN_TEXTS = {"ntu60": "ntu120", "ntu120": "ntu120", "pku51": "pku51"}  # data set -> its file in descriptions/


def texts_in_use(context: Context) -> Mapping[int, Mapping[str, str]]:
    """Return action -> level -> text. Raises DescriptionError for a bad CSV, PipelineError when there are no texts."""
    dataset = context.config.dataset
    if dataset.descriptions:
        return read_descriptions(context.user_path(dataset.descriptions))
    if dataset.name not in BUILTIN_TEXTS:
        raise PipelineError(
            f'there are no built-in texts for dataset.name = "{dataset.name}": write a CSV with the columns '
            f"action,label,local,global and name it in {context.config_path} as dataset.descriptions"
        )
    texts = builtin_descriptions(BUILTIN_TEXTS[dataset.name])
    return {action: texts[action] for action in range(1, NUM_ACTIONS[dataset.name] + 1) if action in texts}


def require_texts(context: Context, actions: Collection[int]) -> None:
    """Raise PipelineError when one of `actions` has no text. `extract` calls this before it trains for hours."""
    without = missing_actions(actions, texts_in_use(context).keys())
    if without:
        source = context.config.dataset.descriptions or "the built-in texts"
        raise PipelineError(
            f"{source} has no text for {without}; add a row for each (action,label,local,global), "
            "then run `fsvae-pipe embed-text`"
        )
