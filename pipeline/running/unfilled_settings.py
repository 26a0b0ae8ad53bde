"""What of a config.toml as `init custom` writes it is still to be filled in, told before a stage does its work."""

from pipeline.messages.errors import PipelineError
from pipeline.running.status import imported_outputs
from pipeline.stages.table import stage_named
from pipeline.workspace.context import Context


def require_filled_in(context: Context) -> None:
    """Raise PipelineError that lists every setting of [dataset] that a custom split or protocol needs and has not.

    Each stage checks what it needs by itself; this is for `run`, which would otherwise turn all raw clips into
    skeletons before extract finds it out. What was imported needs no raw clips, protocol or descriptions.
    """
    dataset = context.config.dataset
    needed = []
    if dataset.split == "custom" and not dataset.unseen:
        needed.append('unseen = ["A001", ...] (the actions that nothing is trained on)')
    if not imported_outputs(stage_named("extract"), context):
        if dataset.protocol == "custom" and not (
            dataset.train_subjects or dataset.train_cameras or dataset.train_setups
        ):
            needed.append("train_subjects = [1, ...] (or train_cameras, or train_setups: whose clips train)")
        if not dataset.raw and needed and not imported_outputs(stage_named("preprocess"), context):
            needed.insert(0, "raw = [...] (folders or zip archives of .skeleton files)")
    told = [f"fill in {', '.join(needed)}"] if needed else []
    if dataset.descriptions and not imported_outputs(stage_named("embed-text"), context):
        path = context.user_path(dataset.descriptions)
        if not path.is_file():
            told.append(f"write {path} (`fsvae-pipe texts --init` writes one to begin with)")
    if told:
        raise PipelineError(f"{context.config_path}, [dataset] is not complete: {'; '.join(told)}; nothing was run")
