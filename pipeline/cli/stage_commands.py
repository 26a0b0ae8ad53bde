"""Commands that make a workspace and bring it up to date: init, one for each stage, run, status."""

import json
import shlex
import sys
from dataclasses import replace
from pathlib import Path

import click

from pipeline.cli.options import locked, raw_option, run_option, with_context
from pipeline.messages.errors import printable
from pipeline.messages.hints import told
from pipeline.running.run import chosen_stages, plan, run_stages
from pipeline.running.unfilled_settings import require_filled_in
from pipeline.stages.table import STAGES, Stage
from pipeline.workspace.context import Context
from pipeline.workspace.folder import Workspace

RUN_STAGES = ("train", "evaluate")  # they work on one run
STAGE_CHOICE = click.Choice([stage.name for stage in STAGES])


@click.command()
@click.argument("split")
@raw_option
@click.option("--name", default="custom", show_default=True, help="Name of your own data set, with SPLIT custom.")
@click.option("--force", is_flag=True, help="Replace a config.toml that is there.")
@click.pass_obj
def init(folder: Path, /, split: str, raw: tuple[Path, ...], name: str, force: bool) -> None:
    """Write config.toml for SPLIT: a named split, or "custom" for your own actions.

    \b
    Example: fsvae-pipe -w work init ntu60-synse-55-5 --raw nturgbd_skeletons_s001_to_s017.zip
    """
    from pipeline.workspace.init import init as write

    if split != "custom" and name != "custom":
        raise click.UsageError(f"--name {name} is for SPLIT custom; {split} has its data set's name")
    path = write(Workspace(folder), split, raw, name, force)
    click.echo(printable(f"wrote {path}"))
    if split == "custom":
        click.echo("next: fill in [dataset] there (raw, train_subjects, unseen), write the descriptions it names,")
    elif not raw:
        click.echo("next: name your raw files in it as dataset.raw,")
    click.echo(printable(f"then: fsvae-pipe -w {shlex.quote(str(folder))} run"))


def warn_of_stale_needs(context: Context, stage: Stage) -> None:
    """Say which stages before `stage` are stale: a command of its own runs one stage only."""
    from pipeline.running.status import stage_states

    for state in stage_states(context):
        if state.stage in stage.needs and state.state == "stale":
            reasons = told("; ".join(state.reasons))
            context.console.print(f"warning: {state.stage} is stale ({reasons})", style="yellow", markup=False)


def stage_command(stage: Stage) -> click.Command:
    """The command of `stage`: when it is up to date it says so, --force does it again."""

    def run_stage(context: Context, force: bool, raw: tuple[Path, ...] = ()) -> None:
        with locked(context.workspace):
            if raw:
                from pipeline.workspace.init import set_raw

                context = replace(context, config=set_raw(context, raw))
            warn_of_stale_needs(context, stage)
            if not run_stages(context, [stage], [stage.name] if force else []):
                click.echo(f"{stage.name}: up to date (--force does it again)")
                if stage.name == "evaluate":
                    from pipeline.stages.results import print_results

                    print_results(context)

    command = with_context(run_stage)
    command = click.option("--force", is_flag=True, help="Do it again even when it is up to date.")(command)
    if stage.name in RUN_STAGES:
        command = run_option(command)
    if stage.name == "preprocess":
        command = raw_option(command)
    return click.command(name=stage.name, help=stage.help)(command)


@click.command()
@run_option
@click.option("--from", "first", type=STAGE_CHOICE, help="Leave the stages before this one as they are.")
@click.option("--until", "last", type=STAGE_CHOICE, help="Stop after this stage.")
@click.option(
    "--force", multiple=True, type=STAGE_CHOICE, help="Run this stage even when it is up to date. Repeatable."
)
@click.option("--dry-run", is_flag=True, help="Say what would run, and run nothing.")
@with_context
def run(context: Context, first: str | None, last: str | None, force: tuple[str, ...], dry_run: bool) -> None:
    """Run every stale stage, in order.

    \b
    Example: fsvae-pipe -w work run --until extract
    """
    stages = chosen_stages(first, last)
    if first:
        warn_of_stale_needs(context, stages[0])
    done = f"{stages[0].name} to {stages[-1].name} are" if first or last else "every stage is"
    if dry_run:
        states = plan(context, stages, force)
        for state in states:
            click.echo(f"{state.stage}: {state.state} ({told('; '.join(state.reasons))})")
        if not states:
            click.echo(f"nothing to do: {done} up to date")
        return
    with locked(context.workspace):
        if any(stage.name == "extract" for stage in stages):
            require_filled_in(context)
        if not run_stages(context, stages, force):
            click.echo(f"nothing to do: {done} up to date")


@click.command()
@run_option
@click.option("--json", "as_json", is_flag=True, help="Print the states as JSON.")
@click.option("--quiet", is_flag=True, help="Print nothing; exit 1 when anything is stale or missing.")
@with_context
def status(context: Context, as_json: bool, quiet: bool) -> None:
    """Show each stage as done, stale (and why) or missing."""
    from pipeline.running.status import stage_states

    states = stage_states(context)
    up_to_date = all(state.state == "done" for state in states)
    if quiet:
        sys.exit(0 if up_to_date else 1)
    if as_json:
        click.echo(json.dumps([state.plain() for state in states], indent=2))
        return
    for state in states:
        click.echo(f"{state.stage:<12}{state.state:<9}{told('; '.join(state.reasons))}".rstrip())
    if up_to_date:
        click.echo("every stage is up to date")
