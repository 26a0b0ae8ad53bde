"""Commands in messages, as they must be typed to work where the user stands.

Messages name commands in short, as `fsvae-pipe extract`; whoever raises them need not know how the program was called.
What a message needs beside that, the workspace, the run and the settings file, comes in where it is shown.
"""

import re
import shlex
from pathlib import Path

import click

from pipeline.messages.errors import printable

HINT = re.compile(r"`fsvae-pipe ([a-z][a-z-]*)((?: [^`]*)?)`")
WITHOUT_WORKSPACE = ("demo",)  # it has a folder of its own
WITHOUT_CONFIG = ("init", "report", "demo")
WITH_RUN = ("train", "evaluate", "run", "status", "predict", "export")
WORKSPACE, RUN, CONFIG = "fsvae-pipe.workspace", "fsvae-pipe.run", "fsvae-pipe.config"  # in the meta of click's context


def note_workspace(folder: Path) -> None:
    """Remember that this command was given `folder` with -w."""
    click.get_current_context().meta[WORKSPACE] = folder


def given_workspace() -> Path | None:
    """The folder that this command was given with -w; None where the default or the environment decides."""
    folder: Path | None = click.get_current_context().meta.get(WORKSPACE)
    return folder


def note_options(run_name: str, config: Path | None) -> None:
    """Remember --run and --config of this command; `config` is None without one."""
    click.get_current_context().meta.update({RUN: None if run_name == "default" else run_name, CONFIG: config})


def told(text: str) -> str:
    """`text` as it is shown: each command in it with the options that this one was given, nothing that steers."""
    return printable(HINT.sub(_completed, text))


def _completed(hint: re.Match[str]) -> str:
    context = click.get_current_context(silent=True)
    if context is None or "--help" in hint[2]:
        return hint[0]
    command, rest, given = hint[1], hint[2], context.meta
    workspace = "" if command in WITHOUT_WORKSPACE else _option("-w", given.get(WORKSPACE))
    run = _option("--run", given.get(RUN)) if command in WITH_RUN and "--run " not in rest else ""
    config = "" if command in WITHOUT_CONFIG else _option("--config", given.get(CONFIG))
    return f"`fsvae-pipe{workspace} {command}{run}{config}{rest}`"


def _option(name: str, value: object) -> str:
    return "" if value is None else f" {name} {shlex.quote(str(value))}"
