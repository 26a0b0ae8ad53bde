"""The commands that make a workspace and bring it up to date: init, one for each stage, run and status."""

import shlex
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from pipeline.cli.cluster_option import cluster_option, on_cluster
from pipeline.cli.options import (
    raw_options,
    recording_options,
    run_option,
    with_context,
    with_context_or_study,
)
from pipeline.cli.study_commands import study_status
from pipeline.messages.errors import printable
from pipeline.running.run import chosen_stages, plan, run_stages
from pipeline.running.staleness import stage_states
from pipeline.running.status import as_json as status_as_json
from pipeline.running.status import as_text as status_as_text
from pipeline.running.status import reasons
from pipeline.running.unfilled_settings import require_filled_in
from pipeline.stages.table import STAGES, Stage
from pipeline.workspace.context import Context
from pipeline.workspace.folder import Workspace
from pipeline.workspace.lock import locked

RUN_STAGES = ("train", "evaluate")  # they work on one run
CLUSTER_STAGES = ("preprocess", "extract", "train", "evaluate")  # their work can be divided
STAGE_CHOICE = click.Choice([stage.name for stage in STAGES])


@click.command()
@click.argument("split")
@raw_options
@recording_options(written=True)
@click.option("--name", default="custom", show_default=True, help="Name of your data set; for SPLIT custom only.")
@click.option("--force", is_flag=True, help="Replace an existing config.toml.")
@click.pass_obj
def init(folder: Path, /, split: str, raw: tuple[Path, ...], name: str, force: bool, **recordings: Any) -> None:
    """Write config.toml for SPLIT: a named split, or "custom" for your own actions.

    \b
    Example: fsvae-pipe -w work init ntu60-synse-55-5 --raw nturgbd_skeletons_s001_to_s017.zip
    """
    from pipeline.workspace.init import init as write
    from pipeline.workspace.init import missing_list

    if split != "custom" and name != "custom":
        raise click.UsageError(f"--name {name} is for SPLIT custom only; {split} has the name of its data set")
    recordings = with_guessed_layout(recordings, raw, recordings["manifest"])
    path = write(Workspace(folder), split, raw, name, force, recordings)
    click.echo(printable(f"wrote {path}"))
    if split == "custom":
        empty = "train_subjects, unseen" if raw or recordings["manifest"] else "raw, train_subjects, unseen"
        click.echo(f"next: in it, fill in [dataset] ({empty}),")
        click.echo(printable(f"then: fsvae-pipe -w {shlex.quote(str(folder))} texts --init, and fill in the texts,"))
    elif not raw:
        click.echo("next: in it, name your raw files as dataset.raw,")
    if protocol_list := missing_list(Workspace(folder), split):
        click.echo(printable(f"next: copy {protocol_list.name}, which comes with the data, to {protocol_list},"))
    click.echo(printable(f"then: fsvae-pipe -w {shlex.quote(str(folder))} run"))


def with_guessed_layout(recordings: dict[str, Any], raw: Sequence[Path], manifest: Path | None) -> dict[str, Any]:
    """Return the options `recordings` with the layout that --layout auto finds, if it is given and raw files are named.

    So config.toml holds a name, which goes on to hold when the raw files have been moved away.
    """
    from pipeline.phases.raw_recordings import AUTO, guess_of

    if recordings["layout"] != AUTO or not (raw or manifest):
        return recordings
    guess = guess_of(raw, manifest)
    click.echo(printable(f"layout: {guess.layout.name} ({guess.reason})"), err=True)
    return {**recordings, "layout": guess.layout.name}


def warn_of_stale_needs(context: Context, stage: Stage) -> None:
    """Warn of stale stages that `stage` needs, since the command of a stage runs that stage only."""
    for state in stage_states(context):
        if state.stage in stage.needs and state.state == "stale":
            warning = f"warning: {state.stage} is stale ({reasons(state)})"
            context.console.print(warning, style="yellow", markup=False)


def stage_command(stage: Stage) -> click.Command:
    """Make the command of `stage`. It runs the stage, unless the stage is up to date and --force is not given."""

    def run_stage(
        context: Context, force: bool, cluster: str | None = None, raw: tuple[Path, ...] = (), **recordings: Any
    ) -> None:
        with locked(context.workspace):
            if raw or any(recordings.values()):
                from pipeline.phases.raw_recordings import raw_places
                from pipeline.workspace.init import set_dataset

                named, manifest = raw_places(context)
                recordings = with_guessed_layout(recordings, raw or named, recordings["manifest"] or manifest)
                context = replace(context, config=set_dataset(context, raw, recordings))
            warn_of_stale_needs(context, stage)
            with on_cluster(context, cluster) as context:
                done = run_stages(context, [stage], [stage.name] if force else [])
            if not done:
                click.echo(f"{stage.name}: up to date (--force runs it again)")
                if stage.name == "evaluate":
                    from pipeline.stages.results import print_results

                    print_results(context)

    command = with_context(run_stage)
    command = click.option("--force", is_flag=True, help="Run the stage even when it is up to date.")(command)
    if stage.name in CLUSTER_STAGES:
        command = cluster_option(command)
    if stage.name in RUN_STAGES:
        command = run_option(command)
    if stage.name == "preprocess":
        command = raw_options(recording_options(written=True)(command))
    return click.command(name=stage.name, help=stage.help)(command)


@click.command()
@run_option
@click.option("--from", "first", type=STAGE_CHOICE, help="Start with this stage and leave those before it as they are.")
@click.option("--until", "last", type=STAGE_CHOICE, help="Stop after this stage.")
@click.option(
    "--force", multiple=True, type=STAGE_CHOICE, help="Run this stage even when it is up to date. Repeatable."
)
@click.option("--dry-run", is_flag=True, help="Print what would run, and run nothing.")
@cluster_option
@with_context
def run(
    context: Context, first: str | None, last: str | None, force: tuple[str, ...], dry_run: bool, cluster: str | None
) -> None:
    """Run every stale stage, in order.

    \b
    Example: fsvae-pipe -w work run --until extract
    """
    stages = chosen_stages(first, last)
    if first:
        warn_of_stale_needs(context, stages[0])
    which = f"{stages[0].name} to {stages[-1].name} are" if first or last else "every stage is"
    nothing_to_do = f"nothing to do: {which} up to date"
    if dry_run:
        states = plan(context, stages, force)
        for state in states:
            click.echo(f"{state.stage}: {state.state} ({reasons(state)})")
        if not states:
            click.echo(nothing_to_do)
        return
    with locked(context.workspace):
        if any(stage.name == "extract" for stage in stages):
            require_filled_in(context)
        with on_cluster(context, cluster) as context:
            done = run_stages(context, stages, force)
        if not done:
            click.echo(nothing_to_do)


@click.command()
@run_option
@click.option("--json", "as_json", is_flag=True, help="Print the states as JSON.")
@click.option("--quiet", is_flag=True, help="Print nothing; exit 1 when anything is stale or missing.")
@with_context_or_study(study_status)
def status(context: Context, as_json: bool, quiet: bool) -> None:
    """Show which stages are done, which are stale and why, and which are missing; also of a whole study."""
    states = stage_states(context)
    if quiet:
        sys.exit(any(state.state != "done" for state in states))
    click.echo(status_as_json(states) if as_json else status_as_text(states))
