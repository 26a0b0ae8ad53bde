"""Which stages are done, stale (and why) or missing. Loads no torch."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from data.errors import DataError, NewerFormatError
from descriptions.errors import DescriptionError
from pipeline.context import Context
from pipeline.errors import PipelineError
from pipeline.provenance import Provenance, read_record
from pipeline.stages import STAGES, Stage


@dataclass(frozen=True)
class StageState:
    """One stage's state: done, stale (outputs are there, but not from what is there now) or missing."""

    stage: str
    state: Literal["done", "stale", "missing"]
    reasons: tuple[str, ...] = ()


def stage_states(context: Context, stages: Sequence[Stage] = STAGES) -> list[StageState]:
    """The state of every stage, in order; a stage is stale also when one before it is not done."""
    states: dict[str, StageState] = {}
    for stage in stages:
        states[stage.name] = stage_state(stage, context, states)
    return list(states.values())


def stage_state(stage: Stage, context: Context, earlier: Mapping[str, StageState]) -> StageState:
    """The state of `stage`; `earlier` holds the states of the stages before it that count."""
    absent = [path for path in stage.outputs(context) if not path.exists()]
    if absent:
        names = ", ".join(str(path.relative_to(context.workspace.root)) for path in absent)
        return StageState(stage.name, "missing", (f"no {names}", *_not_done(stage, earlier)))
    reasons = [*_not_done(stage, earlier), *_changes(stage, context)]
    return StageState(stage.name, "stale" if reasons else "done", tuple(reasons))


def _not_done(stage: Stage, earlier: Mapping[str, StageState]) -> list[str]:
    return [
        f"{name} is {earlier[name].state}" for name in stage.needs if name in earlier and earlier[name].state != "done"
    ]


def _changes(stage: Stage, context: Context) -> list[str]:
    """Why the outputs are not what the stage would write now; an input that can't be read is a reason too."""
    try:
        now = stage.provenance(context)
    except NewerFormatError:
        raise
    except (DataError, DescriptionError, PipelineError) as error:
        return [str(error)]
    changes: dict[str, None] = {}  # in order, each once: the outputs of a stage were made together
    for path in stage.outputs(context):
        try:
            changes.update(dict.fromkeys(now.changes_from(Provenance.from_record(read_record(path)))))
        except NewerFormatError:
            raise  # it must not be written over
        except (DataError, PipelineError) as error:
            changes[str(error)] = None
    return list(changes)
