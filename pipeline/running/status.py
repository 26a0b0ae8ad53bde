"""`fsvae-pipe status`: the states of the stages as text and as JSON. pipeline/running/staleness.py decides them."""

import json
from collections.abc import Sequence

from pipeline.messages.hints import complete_commands
from pipeline.running.staleness import StageState


def reasons(state: StageState) -> str:
    """Return the reasons for the stage's state on one line; "" when there are none."""
    return complete_commands("; ".join(state.reasons))


def as_text(states: Sequence[StageState]) -> str:
    """A line for each stage, and a last one when all are done."""
    lines = [f"{state.stage:<12}{state.state:<9}{reasons(state)}".rstrip() for state in states]
    if all(state.state == "done" for state in states):
        lines.append("every stage is up to date")
    return "\n".join(lines)


def as_json(states: Sequence[StageState]) -> str:
    """A list of objects: stage, state, reasons."""
    return json.dumps([state.plain() for state in states], indent=2)
