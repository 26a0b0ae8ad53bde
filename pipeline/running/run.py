"""Run every stale stage, in order, and nothing else."""

import time
from collections.abc import Collection, Sequence

from pipeline.messages.errors import PipelineError, WrongUsage
from pipeline.messages.hints import told
from pipeline.running.status import StageState, imported_outputs, stage_state
from pipeline.stages.table import STAGES, Stage, stage_named
from pipeline.workspace.context import Context


def chosen_stages(first: str | None, last: str | None) -> tuple[Stage, ...]:
    """The stages from `first` until `last`, both included; None leaves that end open. Raises WrongUsage for none."""
    names = [stage.name for stage in STAGES]
    start = names.index(stage_named(first).name) if first else 0
    stop = names.index(stage_named(last).name) + 1 if last else len(names)
    if start >= stop:
        raise WrongUsage(f"--from {first} comes after --until {last}; the order is {', '.join(names)}")
    return STAGES[start:stop]


def plan(context: Context, stages: Sequence[Stage], force: Collection[str] = ()) -> list[StageState]:
    """The stages that `run_stages` would run if every one of them changed its outputs, with the reasons."""
    planned: dict[str, StageState] = {}
    for stage in stages:
        state = _with_force(stage_state(stage, context, planned), force)
        if state.state != "done":
            planned[stage.name] = state
    return list(planned.values())


def run_stages(context: Context, stages: Sequence[Stage], force: Collection[str] = ()) -> list[StageState]:
    """Run those of `stages` that are not up to date; return the states in which they were found.

    Says before each stage why it runs, and after it how long it took. A stage that wrote the same contents again
    leaves the stages behind it up to date. Raises PipelineError when a stage would write over what was imported and is
    not in `force`, or when what a stage reads changed while it ran: its result is stale then, and those of the stages
    behind it would be.
    """
    ran: list[StageState] = []
    for stage in stages:
        state = _with_force(stage_state(stage, context, {}), force)
        if state.state == "done":
            continue
        _require_no_import(stage, context, state, force)
        reasons = state.reasons[:-1] if state.fault else state.reasons  # the fault ends the stage, and is told then
        shown = f" ({told('; '.join(reasons))})" if reasons else ""
        context.console.print(f"[bold]{stage.name}[/bold]: {state.state}", style="cyan", end="")
        context.console.print(shown, markup=False, highlight=False)
        started = time.perf_counter()
        stage.run(context)
        left = stage_state(stage, context, {})
        if left.state != "done":
            raise PipelineError(
                f"{stage.name} has ended, but its result is {left.state} already ({'; '.join(left.reasons)}): "
                "something changed while it ran; run the same command again"
            )
        context.console.print(f"[bold]{stage.name}[/bold]: done in {time.perf_counter() - started:.1f} s")
        ran.append(state)
    return ran


def _require_no_import(stage: Stage, context: Context, state: StageState, force: Collection[str]) -> None:
    brought = imported_outputs(stage, context)
    if brought and stage.name not in force:
        raise PipelineError(
            f"{stage.name} is {state.state} ({'; '.join(state.reasons[:3])}), but {brought} was imported, and "
            f"{stage.name} would write over it: import what is missing or changed with `fsvae-pipe import`, or let it "
            f"be made anew with `fsvae-pipe run --force {stage.name}`"
        )


def _with_force(state: StageState, force: Collection[str]) -> StageState:
    if state.state == "done" and state.stage in force:
        return StageState(state.stage, "stale", ("--force",))
    return state
