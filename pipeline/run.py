"""Run every stale stage, in order, and nothing else."""

import time
from collections.abc import Collection, Iterator, Sequence

from pipeline.context import Context
from pipeline.errors import PipelineError, printable
from pipeline.stages import STAGES, Stage, stage_named
from pipeline.status import StageState, stage_state


def chosen_stages(first: str | None, last: str | None) -> tuple[Stage, ...]:
    """The stages from `first` until `last`, both included; None leaves that end open."""
    names = [stage.name for stage in STAGES]
    start = names.index(stage_named(first).name) if first else 0
    stop = names.index(stage_named(last).name) + 1 if last else len(names)
    if start >= stop:
        raise PipelineError(f"--from {first} comes after --until {last}; the order is {', '.join(names)}")
    return STAGES[start:stop]


def plan(context: Context, stages: Sequence[Stage], force: Collection[str] = ()) -> list[StageState]:
    """The stages that `run_stages` would run if every one of them changed its outputs, with the reasons."""
    planned: dict[str, StageState] = {}
    for stage in stages:
        state = _with_force(stage_state(stage, context, planned), force)
        if state.state != "done":
            planned[stage.name] = state
    return list(planned.values())


def run_stages(context: Context, stages: Sequence[Stage], force: Collection[str] = ()) -> Iterator[StageState]:
    """Run those of `stages` that are not up to date, yielding each one's state just before it runs.

    A stage that wrote the same contents again leaves the stages behind it up to date.
    """
    for stage in stages:
        state = _with_force(stage_state(stage, context, {}), force)
        if state.state != "done":
            yield state
            stage.run(context)


def announce(context: Context, stages: Sequence[Stage], force: Collection[str] = ()) -> int:
    """Run the stale ones of `stages`, saying before each why, and after each how long it took; return their number."""
    count, running, started = 0, "", 0.0
    for state in run_stages(context, stages, force):
        if running:
            context.console.print(f"[bold]{running}[/bold]: done in {time.perf_counter() - started:.1f} s")
        context.console.print(f"[bold]{state.stage}[/bold]: {state.state}", style="cyan", end="")
        context.console.print(f" ({printable('; '.join(state.reasons))})", markup=False)
        count, running, started = count + 1, state.stage, time.perf_counter()
    if running:
        context.console.print(f"[bold]{running}[/bold]: done in {time.perf_counter() - started:.1f} s")
    return count


def _with_force(state: StageState, force: Collection[str]) -> StageState:
    if state.state == "done" and state.stage in force:
        return StageState(state.stage, "stale", ("--force",))
    return state
