"""The option --cluster, and what a command does with it."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import click
from rich.console import Console

from pipeline.cli.options import Command
from pipeline.messages.errors import WrongUsage
from pipeline.workspace.context import Context
from pipeline.workspace.folder import Workspace


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

    The workspace must be locked. Raises what `work_sent_to` raises.
    """
    if address is None:
        yield context
        return
    workspace = Workspace(context.workspace.root.absolute())
    context = replace(context, workspace=workspace, config_path=context.config_path.absolute())
    with work_sent_to(address, workspace, context.console):
        yield context


@contextmanager
def work_sent_to(address: str | None, workspace: Workspace, console: Console) -> Iterator[None]:
    """Send the work of the block to a cluster; None = do it here. The workspace must be locked and its path absolute.

    Raises WrongUsage in a process of `accelerate launch`, and what `connected` raises.
    """
    if address is None:
        yield
        return
    if int(os.environ.get("WORLD_SIZE", "1")) > 1:
        raise WrongUsage("--cluster and `accelerate launch` both divide the work; use one of them")
    from pipeline.cluster.cluster import connected

    with connected(address, workspace, console):
        yield
