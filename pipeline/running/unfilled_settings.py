"""Lists the settings and files that a workspace still lacks. `run` calls this first, so that it fails at once."""

from data.protocols import list_name
from pipeline.messages.errors import PipelineError
from pipeline.running.staleness import imported_outputs
from pipeline.stages.table import stage_named
from pipeline.workspace.context import Context


def require_filled_in(context: Context) -> None:
    """Raise PipelineError unless [dataset] has all that its split and protocol need; list what it lacks.

    Each stage checks its own settings. Without this check, `run` would turn all raw clips into skeletons before
    extract found a setting missing. Imported files need no raw clips, protocol or descriptions.
    """
    dataset = context.config.dataset
    empty = []
    if dataset.split == "custom" and not dataset.unseen:
        empty.append('unseen = ["A001", ...] (the actions that nothing is trained on)')
    if not imported_outputs(stage_named("extract"), context):
        if dataset.protocol == "custom" and not (
            dataset.train_subjects or dataset.train_cameras or dataset.train_setups
        ):
            empty.append("train_subjects = [1, ...] (whose clips train; or train_cameras or train_setups)")
        if list_name(dataset) and not dataset.protocol_list:
            empty.append(f'protocol_list = "{list_name(dataset)}" (the list of videos that comes with the data)')
        if not dataset.raw and empty and not imported_outputs(stage_named("preprocess"), context):
            empty.insert(0, "raw = [...] (folders or zip archives of .skeleton files)")
    to_do = [f"fill in {', '.join(empty)}"] if empty else []
    if list_name(dataset) and dataset.protocol_list and not imported_outputs(stage_named("extract"), context):
        path = context.user_path(dataset.protocol_list)
        if not path.is_file():
            to_do.append(f"copy {list_name(dataset)}, which comes with the data, to {path}")
    if dataset.descriptions and not imported_outputs(stage_named("embed-text"), context):
        path = context.user_path(dataset.descriptions)
        if not path.is_file():
            to_do.append(f"write {path} (`fsvae-pipe texts --init` writes one to fill in)")
    if to_do:
        raise PipelineError(f"{context.config_path}, [dataset] is not complete: {'; '.join(to_do)}; nothing was run")
