"""Which stages are done, stale (and why) or missing. Loads no torch."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from data.errors import DataError, NewerFormatError
from descriptions.errors import DescriptionError
from pipeline.messages.errors import PipelineError
from pipeline.stages.table import STAGES, Stage
from pipeline.workspace.context import Context
from pipeline.workspace.provenance import IMPORT, Provenance, read_record


@dataclass(frozen=True)
class StageState:
    """One stage's state: done, stale (outputs are there, but not from what is there now) or missing."""

    stage: str
    state: Literal["done", "stale", "missing"]
    reasons: tuple[str, ...] = ()
    fault: bool = False  # the last reason is an input that can't be read, by which the stage would fail

    def plain(self) -> dict[str, object]:
        """For JSON."""
        return {"stage": self.stage, "state": self.state, "reasons": self.reasons}


def stage_states(context: Context, stages: Sequence[Stage] = STAGES) -> list[StageState]:
    """The state of every stage, in order; a stage is stale also when one before it is not done."""
    states: dict[str, StageState] = {}
    for stage in stages:
        states[stage.name] = stage_state(stage, context, states, stages)
    return list(states.values())


def stage_state(
    stage: Stage, context: Context, earlier: Mapping[str, StageState], stages: Sequence[Stage] = STAGES
) -> StageState:
    """The state of `stage`; `earlier` holds the states of the stages before it that count.

    A stage whose outputs were imported needs none of the stages before it, and those that no other stage needs are
    done. Raises NewerFormatError when a newer program made an output: it must not be written over.
    """
    users = [user for user in stages if stage.name in user.needs]
    if users and all(_imported(user, context) for user in users):
        return StageState(stage.name, "done", (f"not needed: {' and '.join(user.name for user in users)} imported",))
    if _imported(stage, context):
        reasons = _import_changes(stage, context)
        return StageState(stage.name, "stale" if reasons else "done", tuple(reasons) or ("imported",))
    absent = [path for path in stage.outputs(context) if not path.exists()]
    if absent:
        brought = [path for path in stage.outputs(context) if path not in absent and _is_imported(path)]
        told = f" ({_names(brought, context)} was imported; import that one too)" if brought else ""
        return StageState(stage.name, "missing", (f"no {_names(absent, context)}{told}", *_not_done(stage, earlier)))
    changes, fault = _changes(stage, context)
    changes = [*_not_done(stage, earlier), *changes]
    return StageState(stage.name, "stale" if changes else "done", tuple(changes), fault)


def _not_done(stage: Stage, earlier: Mapping[str, StageState]) -> list[str]:
    return [
        f"{name} is {earlier[name].state}" for name in stage.needs if name in earlier and earlier[name].state != "done"
    ]


def imported_outputs(stage: Stage, context: Context) -> str:
    """The outputs of `stage` that `fsvae-pipe import` wrote, as text; "" when there is none."""
    return _names([path for path in stage.outputs(context) if path.exists() and _is_imported(path)], context)


def _imported(stage: Stage, context: Context) -> bool:
    """Whether `fsvae-pipe import` wrote all outputs of `stage`."""
    return all(_is_imported(path) for path in stage.outputs(context))


def _is_imported(path: Path) -> bool:
    try:
        return _made(path).stage == IMPORT
    except (DataError, PipelineError):
        return False


def _names(paths: Sequence[Path], context: Context) -> str:
    return ", ".join(str(path.relative_to(context.workspace.root)) for path in paths)


def _import_changes(stage: Stage, context: Context) -> list[str]:
    """Which settings that the import was checked against have another value now."""
    now = context.config.flat()
    changes: dict[str, None] = {}
    for path in stage.outputs(context):
        made = _made(path)
        current = replace(made, settings={key: now.get(key) for key in made.settings})
        changes.update(dict.fromkeys(f"{change} since the import" for change in current.changes_from(made)))
    return list(changes)


def _made(path: Path) -> Provenance:
    return Provenance.from_record(read_record(path))


def _changes(stage: Stage, context: Context) -> tuple[list[str], bool]:
    """Why the outputs are not what the stage would write now, and whether it can't: an input can't be read."""
    try:
        made = [_made(path) for path in stage.outputs(context)]
    except NewerFormatError:
        raise
    except (DataError, PipelineError) as error:
        return [str(error)], False
    try:
        now = stage.provenance(context)
    except NewerFormatError:
        raise
    except (DataError, DescriptionError, PipelineError) as error:
        return [str(error)], True
    changes = dict.fromkeys(change for earlier in made for change in now.changes_from(earlier))
    return list(changes), False  # in order, each once: the outputs of a stage were made together
