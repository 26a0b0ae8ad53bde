"""`fsvae-pipe run`: runs the stages that are stale or missing, in order."""

import shlex
import time
from collections.abc import Collection, Sequence
from dataclasses import replace

from pipeline.messages.errors import PipelineError, WrongUsage
from pipeline.messages.hints import complete_commands
from pipeline.running.staleness import StageState, imported_outputs, stage_state, stage_states
from pipeline.stages.table import STAGES, Stage, stage_named
from pipeline.workspace.context import Context
from pipeline.workspace.folder import Workspace


def chosen_stages(first: str | None, last: str | None) -> tuple[Stage, ...]:
    """Return the stages from `first` to `last`, both included. None means the first or the last stage of all.

    Raises WrongUsage when `first` comes after `last`.
    """
    names = [stage.name for stage in STAGES]
    start = names.index(stage_named(first).name) if first else 0
    stop = names.index(stage_named(last).name) + 1 if last else len(names)
    if start >= stop:
        raise WrongUsage(f"--from {first} comes after --until {last}; the order is {', '.join(names)}")
    return STAGES[start:stop]


def plan(context: Context, stages: Sequence[Stage], force: Collection[str] = ()) -> list[StageState]:
    """Return the states of the stages that `run_stages` would run if each of them changed its outputs."""
    planned: dict[str, StageState] = {}
    for stage in stages:
        state = _with_force(stage_state(stage, context, planned), force)
        if state.state != "done":
            planned[stage.name] = state
    return list(planned.values())


def run_stages(context: Context, stages: Sequence[Stage], force: Collection[str] = ()) -> list[StageState]:
    """Run those of `stages` that are not up to date, and those in `force`. Return the states that they had before.

    The console says before each stage why it runs, and afterwards how long it took. When a stage writes the same
    contents as before, the stages after it stay up to date. Raises PipelineError in two cases: a stage would write over
    an imported file and is not in `force`; or something that a stage reads changed while it ran, so that its result is
    stale already.
    """
    states_before: list[StageState] = []
    for stage in stages:
        state = _with_force(stage_state(stage, context, {}), force)
        if state.state == "done":
            continue
        _require_own(stage, context, state)
        _require_no_import(stage, context, state, force)
        reasons = state.reasons[:-1] if state.fault else state.reasons  # the stage will fail with the fault's message
        why = f" ({complete_commands('; '.join(reasons))})" if reasons else ""
        context.console.print(f"[bold]{stage.name}[/bold]: {state.state}", style="cyan", end="")
        context.console.print(why, markup=False, highlight=False)
        started = time.perf_counter()
        stage.run(replace(context, stale=_stale_before(stage, context)))
        after = stage_state(stage, context, {})
        if after.state != "done":
            raise PipelineError(
                f"{stage.name} has ended, but its result is {after.state} already ({'; '.join(after.reasons)}): "
                "something changed while it ran; run the same command again"
            )
        context.console.print(f"[bold]{stage.name}[/bold]: done in {time.perf_counter() - started:.1f} s")
        states_before.append(state)
    return states_before


def _stale_before(stage: Stage, context: Context) -> tuple[str, ...]:
    """Return the stale stages before `stage`, each with its reasons. The outputs of `stage` must name them.

    `train` is left out, because a run records the settings that it was made with, and evaluate checks its inputs.
    """
    earlier = STAGES[: STAGES.index(stage)] if stage in STAGES else ()
    stale = [state for state in stage_states(context, earlier) if state.state == "stale" and state.stage != "train"]
    return tuple(f"{state.stage} ({'; '.join(state.reasons)})" for state in stale)


def _require_own(stage: Stage, context: Context, state: StageState) -> None:
    """Raise PipelineError when `stage` would write a file that other workspaces use too."""
    workspace = context.workspace
    if not any(workspace.is_shared(path) for path in stage.outputs(context)):
        return
    owner = shlex.quote(str(workspace.shared))
    raise PipelineError(
        f"{stage.name} is {state.state} ({'; '.join(state.reasons[:3])}), but its output is in {workspace.shared}, "
        f"where all splits of the data set use it: bring it up to date with `fsvae-pipe -w {owner} {stage.name}`. "
        f"Where only {context.config_path} says otherwise, let it say the same as {Workspace(workspace.shared).config}"
    )


def _require_no_import(stage: Stage, context: Context, state: StageState, force: Collection[str]) -> None:
    """Raise PipelineError when `stage` would write over an imported file and is not in `force`."""
    imported = imported_outputs(stage, context)
    if imported and stage.name not in force:
        raise PipelineError(
            f"{stage.name} is {state.state} ({'; '.join(state.reasons[:3])}), but {imported} was imported, and "
            f"{stage.name} would write over it: import again what is missing or has changed (`fsvae-pipe import`), or "
            f"let the stage replace the import (`fsvae-pipe run --force {stage.name}`)"
        )


def _with_force(state: StageState, force: Collection[str]) -> StageState:
    if state.state == "done" and state.stage in force:
        return StageState(state.stage, "stale", ("--force",))
    return state
