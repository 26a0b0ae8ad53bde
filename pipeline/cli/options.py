"""What the commands share: options, the context made from them, the lock on the workspace, printable messages."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource
from rich.console import Console

from pipeline.messages.errors import PipelineError
from pipeline.messages.hints import note_options, note_workspace
from pipeline.predict.modes import MODES
from pipeline.workspace.config import Config, load_config
from pipeline.workspace.context import Context
from pipeline.workspace.folder import Workspace

Command = Callable[..., None]


def workspace_option(command: click.Command) -> None:
    """-w behind the command too, which is where many look for it; it holds over one before the command."""
    click.option(
        "-w",
        "--workspace",
        type=click.Path(file_okay=False, path_type=Path),
        help="Folder that holds config.toml and everything made from it; may stand before the command as well.",
        expose_value=False,
        callback=take_workspace,
    )(command)


def take_workspace(context: click.Context, option: click.Parameter, folder: Path | None) -> None:
    """Work in `folder`, where one is given, and remember whether -w gave it."""
    if folder is not None:
        context.obj = folder
        if context.get_parameter_source(str(option.name)) is ParameterSource.COMMANDLINE:
            note_workspace(folder)


def raw_option(command: Command) -> Command:
    """--raw, for what reads raw clips."""
    return click.option(
        "--raw",
        multiple=True,
        type=click.Path(exists=True, path_type=Path),
        help="Folder, zip archive or file of raw clips; written to config.toml as dataset.raw. Repeatable.",
    )(command)


def run_option(command: Command) -> Command:
    """--run, for what works on one run."""
    return click.option(
        "--run", "run_name", default="default", show_default=True, metavar="NAME", help="Folder in runs/ to work on."
    )(command)


def seed_option(command: Command) -> Command:
    """--seed, for what uses one model of a run."""
    return click.option("--seed", type=int, help="Use the model of this seed. [default: the run's first]")(command)


def given_options(command: Command) -> Command:
    """--action and --actions, for what takes actions in words."""
    command = click.option(
        "--actions",
        "actions_file",
        type=click.Path(exists=True, dir_okay=False, path_type=Path),
        help="CSV of such actions, with the columns action,label,local,global.",
    )(command)
    return click.option(
        "--action",
        "actions",
        multiple=True,
        metavar="TEXTS",
        help='An action in words, "label | local | global". Repeatable.',
    )(command)


def mode_option(command: Command) -> Command:
    """--mode, for what chooses between actions."""
    return click.option(
        "--mode",
        type=click.Choice(MODES),
        default="gzsl",
        show_default=True,
        help="Choose between all actions, those that no one trained on, or those given in words alone.",
    )(command)


def with_context(command: Command) -> Command:
    """--set and --config, which every command takes, made into the `Context` that `command` is called with."""
    return _with_context(command, config_wanted=True)


def with_context_if_any(command: Command) -> Command:
    """As `with_context`, for what also works without a workspace: where there is no config.toml, defaults hold."""
    return _with_context(command, config_wanted=False)


def _with_context(command: Command, *, config_wanted: bool) -> Command:
    @click.option(
        "--set",
        "overrides",
        multiple=True,
        metavar="KEY=VALUE",
        help="Use this setting instead of config.toml's, as in --set train.steps_per_cycle=200. Repeatable.",
    )
    @click.option(
        "--config",
        "config_path",
        type=click.Path(exists=True, dir_okay=False, path_type=Path),
        help="Settings file to use instead of the workspace's config.toml.",
    )
    @click.pass_obj
    @wraps(command)
    def with_options(
        folder: Path, /, *, overrides: tuple[str, ...], config_path: Path | None, run_name: str = "default", **rest: Any
    ) -> None:
        if run_name != Path(run_name).name or run_name.startswith("."):
            raise click.UsageError(f'--run "{run_name}": a plain name is wanted, it becomes the folder runs/NAME')
        note_options(run_name, config_path)
        workspace = Workspace(folder)
        path = config_path or workspace.config
        wanted = config_wanted or bool(config_path or overrides)
        config = load_config(path, overrides) if wanted or path.exists() else Config()
        context = Context(workspace, config, path, Console(stderr=True, soft_wrap=True), run_name, overrides)
        command(context, **rest)

    return with_options


@contextmanager
def locked(workspace: Workspace) -> Iterator[None]:
    """Hold the workspace while a command writes in it. Raises PipelineError when another command holds it."""
    from filelock import FileLock, Timeout

    if int(os.environ.get("RANK", "0")) > 0:  # started by `accelerate launch`: the first process holds it for all
        yield
        return
    lock = FileLock(workspace.lock)
    try:
        workspace.root.mkdir(parents=True, exist_ok=True)
        lock.acquire(timeout=0)
    except Timeout as error:
        raise PipelineError(f"another fsvae-pipe command works in {workspace.root}; wait until it has ended") from error
    except OSError as error:
        raise PipelineError(
            f"{workspace.root}: no folder that can be worked in ({error.strerror or error}); give it the right to be "
            "written in, or name another workspace with -w"
        ) from error
    try:
        yield
    finally:
        lock.release()
