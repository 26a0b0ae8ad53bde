"""Decides which stages are done, which are stale and why, and which are missing. Loads no torch."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from data.errors import DataError, NewerFormatError, UnavailableFileError
from data.recipes import revision
from descriptions.errors import DescriptionError
from pipeline.messages.errors import PipelineError
from pipeline.stages.table import STAGES, Stage
from pipeline.workspace.context import Context
from pipeline.workspace.provenance import IMPORT, PHASE, RECIPE, Provenance, read_record

KEPT = (NewerFormatError, UnavailableFileError)  # faults of outputs that no stage may overwrite


@dataclass(frozen=True)
class StageState:
    """The state of one stage, and the reasons for it.

    done: the outputs are those that the stage would write now. stale: all outputs exist, but settings or inputs have
    changed since, or an output is damaged. missing: an output does not exist.
    """

    stage: str
    state: Literal["done", "stale", "missing"]
    reasons: tuple[str, ...] = ()
    fault: bool = False  # the last reason is an input that can't be read, so the stage would fail

    def plain(self) -> dict[str, object]:
        """The state as it is written to JSON."""
        return {"stage": self.stage, "state": self.state, "reasons": self.reasons}


def stage_states(context: Context, stages: Sequence[Stage] = STAGES) -> list[StageState]:
    """Return the state of every stage, in order. A stage is also stale when a stage that it needs is not done."""
    states: dict[str, StageState] = {}
    for stage in stages:
        states[stage.name] = stage_state(stage, context, states, stages)
    return list(states.values())


def stage_state(
    stage: Stage, context: Context, earlier: Mapping[str, StageState], stages: Sequence[Stage] = STAGES
) -> StageState:
    """Return the state of `stage`, given the states of `earlier` stages. A stage not in `earlier` counts as done.

    A stage whose outputs were imported needs no other stage. A stage is done when the outputs of all stages that need
    it were imported. Raises NewerFormatError when a newer program made an output, UnavailableFileError when an output
    can't be read now. Neither output may be overwritten.
    """
    users = [user for user in stages if stage.name in user.needs]
    if users and all(_imported(user, context) for user in users):
        return StageState(stage.name, "done", (f"not needed: {' and '.join(user.name for user in users)} imported",))
    if _imported(stage, context):
        reasons = _import_changes(stage, context)
        return StageState(stage.name, "stale" if reasons else "done", tuple(reasons) or ("imported",))
    absent = [path for path in stage.outputs(context) if not path.exists()]
    if absent:
        imported = [path for path in stage.outputs(context) if path not in absent and _is_imported(path)]
        advice = f" ({_names(imported, context)} was imported; import that one too)" if imported else ""
        return StageState(stage.name, "missing", (f"no {_names(absent, context)}{advice}", *_not_done(stage, earlier)))
    changes, fault = _changes(stage, context)
    changes = [*_not_done(stage, earlier), *changes]
    return StageState(stage.name, "stale" if changes else "done", tuple(changes), fault)


def _not_done(stage: Stage, earlier: Mapping[str, StageState]) -> list[str]:
    return [
        f"{name} is {earlier[name].state}" for name in stage.needs if name in earlier and earlier[name].state != "done"
    ]


def imported_outputs(stage: Stage, context: Context) -> str:
    """The names of the outputs of `stage` that `fsvae-pipe import` wrote, joined by commas; "" when there is none."""
    return _names([path for path in stage.outputs(context) if path.exists() and _is_imported(path)], context)


def _imported(stage: Stage, context: Context) -> bool:
    """Whether `fsvae-pipe import` wrote all outputs of `stage`."""
    return all(_is_imported(path) for path in stage.outputs(context))


def _is_imported(path: Path) -> bool:
    try:
        return _provenance_of(path).stage == IMPORT
    except UnavailableFileError:
        raise
    except (DataError, PipelineError):
        return False


def _names(paths: Sequence[Path], context: Context) -> str:
    return ", ".join(context.workspace.named(path) for path in paths)


def _import_changes(stage: Stage, context: Context) -> list[str]:
    """Say which settings have changed since the import was checked against them, and whether its recipe has."""
    settings = context.config.flat()
    changes: dict[str, None] = {}  # a dict keeps the order and drops repetitions
    for path in stage.outputs(context):
        recorded = _provenance_of(path)
        recipe = revision(str(recorded.settings.get(RECIPE)))  # only that of imported clips which a recipe cleaned
        current = replace(
            recorded,
            settings={key: settings.get(key) for key in recorded.settings},
            inputs={**recorded.inputs, **recipe},
        )
        changes.update(dict.fromkeys(f"{change} since the import" for change in current.changes_from(recorded)))
    return [*changes, *_misplaced(stage, context)]


def _provenance_of(path: Path) -> Provenance:
    return Provenance.from_record(read_record(path))


def _misplaced(stage: Stage, context: Context) -> list[str]:
    """Say which outputs hold features of the other phase, as after a copy. Earlier files do not say whose they hold."""
    phases = {path: read_record(path).get(PHASE, path.stem) for path in stage.outputs(context)}
    return [f"{path.name} holds the {phase} phase" for path, phase in phases.items() if phase != path.stem]


def _changes(stage: Stage, context: Context) -> tuple[list[str], bool]:
    """Return why the outputs are not what `stage` would write now, and whether an input can't be read."""
    try:
        recorded = [_provenance_of(path) for path in stage.outputs(context)]
    except KEPT:
        raise
    except (DataError, PipelineError) as error:
        return [str(error)], False
    try:
        current = stage.provenance(context)
    except KEPT:
        raise
    except (DataError, DescriptionError, PipelineError) as error:
        return [str(error)], True
    changes = dict.fromkeys(change for output in recorded for change in current.changes_from(output))
    changes.update(dict.fromkeys(_misplaced(stage, context)))
    return list(changes), False  # each change once, because outputs that were made together have the same changes
