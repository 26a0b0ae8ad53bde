"""What several commands share: options, the context that is made from them, and the lock on the workspace."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource
from rich.console import Console

from data.errors import DataError
from pipeline.messages.errors import PipelineError, WrongUsage
from pipeline.messages.hints import note_options, note_workspace
from pipeline.predict.modes import ALL, MODES, Seed
from pipeline.workspace.config import Config, load_config
from pipeline.workspace.context import Context
from pipeline.workspace.folder import Workspace

if TYPE_CHECKING:
    from data.recordings.windows import Windows

Command = Callable[..., None]


def workspace_option(command: click.Command) -> None:
    """Let `command` take -w too, because many users write it after the command. It wins over one before the command."""
    click.option(
        "-w",
        "--workspace",
        type=click.Path(file_okay=False, path_type=Path),
        help="Folder of config.toml and of everything made from it. May also precede the command.",
        expose_value=False,
        callback=take_workspace,
    )(command)


def take_workspace(context: click.Context, option: click.Parameter, folder: Path | None) -> None:
    """Make `folder` the workspace, if there is one. Remember it when it was given with -w."""
    if folder is not None:
        context.obj = folder
        if context.get_parameter_source(str(option.name)) is ParameterSource.COMMANDLINE:
            note_workspace(folder)


def raw_options(command: Command) -> Command:
    """Add --raw and --manifest, for commands that read all raw clips of a workspace."""
    command = click.option(
        "--manifest",
        type=click.Path(exists=True, dir_okay=False, path_type=Path),
        help="CSV file that says which part of which raw file is which clip; written to config.toml.",
    )(command)
    return click.option(
        "--raw",
        multiple=True,
        type=click.Path(exists=True, path_type=Path),
        help="Raw clips: a folder, zip archive or .skeleton file; written to config.toml as dataset.raw. Repeatable.",
    )(command)


def recording_options(written: bool) -> Callable[[Command], Command]:
    """Make a decorator that adds --layout, --fps and --mirrored; `written` = they are kept in config.toml."""
    kept = "; written to config.toml" if written else " [default: as config.toml says]"

    def decorate(command: Command) -> Command:
        command = click.option("--mirrored", is_flag=True, help=f"The films were mirrored{kept}.")(command)
        command = click.option(
            "--fps", type=click.FloatRange(0, 1000, min_open=True), help=f"Frames a second of the recordings{kept}."
        )(command)
        return click.option(
            "--layout",
            metavar="NAME",
            help=f"Joints, unit and axes of the recordings: a name, a TOML file, or auto to guess it{kept}.",
        )(command)

    return decorate


def run_option(command: Command) -> Command:
    """Add --run, for commands that work on one run."""
    return click.option(
        "--run", "run_name", default="default", show_default=True, metavar="NAME", help="Name of the run in runs/."
    )(command)


def seed_option(command: Command) -> Command:
    """Add --seed, for commands that use the model of a run."""
    return click.option(
        "--seed",
        metavar="INTEGER|all",
        callback=_as_seed,
        help="Use the model of this seed, or the average of all seeds' models. [default: the run's first seed]",
    )(command)


def _as_seed(context: click.Context, option: click.Parameter, value: str | None) -> Seed | None:
    """Return the `value` of --seed as a number or "all". Raises click.BadParameter for anything else."""
    try:
        return None if value is None else ALL if value == ALL else int(value)
    except ValueError:
        raise click.BadParameter(
            f"{value!r} is no seed; give a whole number, or {ALL} for the ensemble of the run's seeds"
        ) from None


def action_options(command: Command) -> Command:
    """Add --action and --actions, for commands that take actions in words."""
    command = click.option(
        "--actions",
        "actions_file",
        type=click.Path(exists=True, dir_okay=False, path_type=Path),
        help="CSV file of actions in words, with the columns action,label,local,global.",
    )(command)
    return click.option(
        "--action",
        "actions",
        multiple=True,
        metavar="TEXTS",
        help='An action in words, "label | local | global". Repeatable.',
    )(command)


def mode_option(command: Command) -> Command:
    """Add --mode, for commands that choose between actions."""
    return click.option(
        "--mode",
        type=click.Choice(MODES),
        default="gzsl",
        show_default=True,
        help="Choose among all actions (gzsl), the unseen ones (zsl), or those of --action and --actions only (given).",
    )(command)


def _as_seconds(context: click.Context, option: click.Parameter, value: str | None) -> float | None:
    """Return `value`, such as 2, 0.5 or 2s, as a number. Raises click.BadParameter for anything else."""
    try:
        return None if value is None else float(value.removesuffix("s"))
    except ValueError:
        raise click.BadParameter(f"{value!r} is no number of seconds; give one such as 2 or 0.5s") from None


def window_options(command: Command) -> Command:
    """Add --window, --stride and --page, for a command that says when an action is shown."""
    command = click.option(
        "--page",
        type=click.Path(dir_okay=False, path_type=Path),
        help="Also write a page (.html) with the moving skeletons above their timelines. Needs --window.",
    )(command)
    command = click.option(
        "--stride",
        metavar="SECONDS",
        callback=_as_seconds,
        help="Seconds from one window to the next, as 0.5s. [default: a quarter of --window]",
    )(command)
    return click.option(
        "--window",
        metavar="SECONDS",
        callback=_as_seconds,
        help="Say when each action is shown: answer windows of so many seconds, as 2s.",
    )(command)


def windows_of(window_s: float | None, stride_s: float | None, page: Path | None) -> "Windows | None":
    """Return what --window and --stride say, None without them. Raises click.UsageError when it is impossible."""
    from data.recordings.windows import Windows

    if window_s is None:
        given = "--stride" if stride_s is not None else "--page" if page is not None else None
        if given:
            raise click.UsageError(f"{given} belongs to a timeline; give --window too, as in --window 2s")
        return None
    if click.get_current_context().get_parameter_source("top") is ParameterSource.COMMANDLINE:
        raise click.UsageError("--top counts the actions of a clip; a timeline names one at a time, so leave it out")
    if page is not None and page.suffix.lower() != ".html":
        raise click.UsageError(f"--page {page}: the name must end in .html")
    if page is not None and not page.parent.is_dir():  # said now, not after an hour's recording
        raise click.UsageError(f"--page {page}: there is no folder {page.parent}; make it, or name another")
    try:
        return Windows(window_s, window_s / 4 if stride_s is None else stride_s)
    except DataError as error:
        raise click.UsageError(str(error)) from error


def with_context(command: Command) -> Command:
    """Add --set and --config, and call `command` with the `Context` that they make."""
    return _with_context(command, config_required=True)


def with_optional_workspace(command: Command) -> Command:
    """As `with_context`, for commands that work without a workspace: without a config.toml, the defaults apply."""
    return _with_context(command, config_required=False)


def _with_context(command: Command, *, config_required: bool) -> Command:
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
        workspace = Workspace(folder)
        workspace.run(run_name)  # before any work: it raises WrongUsage for a name that can't be one
        note_options(run_name, config_path)
        path = config_path or workspace.config
        required = config_required or bool(config_path or overrides)
        config = load_config(path, overrides) if required or path.exists() else Config()
        context = Context(workspace, config, path, Console(stderr=True, soft_wrap=True), run_name, overrides)
        command(context, **rest)

    return with_options


def cluster_option(command: Command) -> Command:
    """Add --cluster, for commands whose work several machines can share."""
    return click.option(
        "--cluster",
        metavar="ADDRESS",
        help="Send the work to the Dask cluster at this address, or to local:N workers that are started here.",
    )(command)


@contextmanager
def on_cluster(context: Context, address: str | None) -> Iterator[Context]:
    """Yield the context for work on the cluster of --cluster, if there is one: with absolute paths, as workers need.

    The workspace must be locked. Raises WrongUsage in a process of `accelerate launch`, and what `connected` raises.
    """
    if address is None:
        yield context
        return
    from pipeline.cluster.cluster import connected

    if int(os.environ.get("WORLD_SIZE", "1")) > 1:
        raise WrongUsage("--cluster and `accelerate launch` both divide the work; use one of them")
    workspace = Workspace(context.workspace.root.absolute())
    context = replace(context, workspace=workspace, config_path=context.config_path.absolute())
    with connected(address, workspace, context.console):
        yield context


@contextmanager
def locked(workspace: Workspace) -> Iterator[None]:
    """Lock the workspace while a command writes in it.

    Raises PipelineError when another command has locked it, or when it can't be written in.
    """
    from filelock import FileLock, Timeout

    if int(os.environ.get("RANK", "0")) > 0:  # one of several processes of `accelerate launch`: the first locks for all
        yield
        return
    lock = FileLock(workspace.lock)
    try:
        workspace.root.mkdir(parents=True, exist_ok=True)
        lock.acquire(timeout=0)
    except Timeout as error:
        raise PipelineError(
            f"another fsvae-pipe command is running in {workspace.root}; wait until it has ended"
        ) from error
    except OSError as error:
        raise PipelineError(
            f"{workspace.root}: can't be written in ({error.strerror or error}); change its permissions, or name "
            "another workspace with -w"
        ) from error
    try:
        yield
    finally:
        lock.release()
