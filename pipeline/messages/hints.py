"""Adds the current -w, --run and --config to the commands that a message names, so that they can be typed as they are.

Code that raises an error writes the short command, such as `fsvae-pipe extract`, and need not know how the program was
called. The options are added when the message is shown.
"""

import re
import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from pipeline.messages.errors import printable

HINT = re.compile(r"`fsvae-pipe ([a-z][a-z-]*)((?: [^`]*)?)`")
WITHOUT_WORKSPACE = ("demo",)  # it names its folder by --folder
WITHOUT_CONFIG = ("init", "report", "reproduce", "demo")
WITH_RUN = ("train", "evaluate", "run", "status", "predict", "export", "app")
WORKSPACE, RUN, CONFIG = "fsvae-pipe.workspace", "fsvae-pipe.run", "fsvae-pipe.config"  # keys in click's context.meta


def note_workspace(folder: Path) -> None:
    """Remember that the user gave `folder` with -w."""
    click.get_current_context().meta[WORKSPACE] = folder


@contextmanager
def working_in(folder: Path) -> Iterator[None]:
    """Within the block, commands in messages are about the workspace `folder`, whatever -w says."""
    context = click.get_current_context(silent=True)
    if context is None:
        yield
        return
    given = context.meta.get(WORKSPACE)
    context.meta[WORKSPACE] = folder
    try:
        yield
    finally:
        context.meta[WORKSPACE] = given


def given_workspace() -> Path | None:
    """The folder that the user gave with -w; None when it comes from the environment or is the default."""
    folder: Path | None = click.get_current_context().meta.get(WORKSPACE)
    return folder


def note_options(run_name: str, config: Path | None) -> None:
    """Remember the values of --run and --config; `config` is None when it was not given."""
    click.get_current_context().meta.update({RUN: None if run_name == "default" else run_name, CONFIG: config})


def complete_commands(text: str) -> str:
    """Return `text` with the current -w, --run and --config added to every command that it mentions.

    Control characters are escaped, so that the text can't steer the terminal.
    """
    return printable(HINT.sub(_complete, text))


def _complete(hint: re.Match[str]) -> str:
    context = click.get_current_context(silent=True)
    if context is None or "--help" in hint[2]:
        return hint[0]
    command, rest, options = hint[1], hint[2], context.meta
    workspace = "" if command in WITHOUT_WORKSPACE else _option("-w", options.get(WORKSPACE))
    run = _option("--run", options.get(RUN)) if command in WITH_RUN and "--run " not in rest else ""
    config = "" if command in WITHOUT_CONFIG else _option("--config", options.get(CONFIG))
    return f"`fsvae-pipe{workspace} {command}{run}{config}{rest}`"


def _option(name: str, value: object) -> str:
    return "" if value is None else f" {name} {shlex.quote(str(value))}"
