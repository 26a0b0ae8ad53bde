"""The command line: thin commands over functions, nothing heavy imported before a command needs it.

fsvae-pipe -w DIR COMMAND
"""

import json
import re
import shlex
import signal
import sys
from contextlib import nullcontext
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, Literal

import click
from click.core import ParameterSource
from rich.console import Console

from data.errors import DataError
from descriptions.errors import DescriptionError
from models.errors import ModelError
from pipeline.context import Context
from pipeline.errors import OverrideError, PipelineError, printable
from pipeline.import_ import KINDS, Kind
from pipeline.options import (
    given_options,
    locked,
    mode_option,
    raw_option,
    run_option,
    seed_option,
    with_context,
    with_context_if_any,
)
from pipeline.run import chosen_stages, plan, run_stages
from pipeline.stages import STAGES, Stage
from pipeline.stopping import hear_signals, take_interrupt
from pipeline.workspace import Workspace

OUT_OF_MEMORY = re.compile("out of memory|can't allocate memory|not enough memory", re.IGNORECASE)
RUN_STAGES = ("train", "evaluate")  # they work on one run
STAGE_CHOICE = click.Choice([stage.name for stage in STAGES])


class Program(click.Group):
    """The group of commands: turns the errors that a user can cause into one paragraph and an exit code."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The commands in the order in which a user meets them, which is the order of this file."""
        return list(self.commands)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the chosen command. Exit codes: 1 failed with a message, 2 wrong usage, 130 or 143 stopped."""
        hear_signals()
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt as stop:
            take_interrupt()
            number = stop.args[0] if stop.args else signal.SIGINT
            command = printable(shlex.join(["fsvae-pipe", *sys.argv[1:]]))
            click.echo(f"\nstopped: every file is whole; `{command}` goes on from there", err=True)
            sys.exit(128 + number)
        except OverrideError as error:
            raise click.UsageError(printable(str(error))) from error
        except (DataError, DescriptionError, ModelError, PipelineError) as error:
            raise click.ClickException(printable(str(error))) from error
        except BrokenPipeError:
            raise  # click ends quietly when the reader of a pipe has gone
        except (MemoryError, RuntimeError) as error:
            if not isinstance(error, MemoryError) and not OUT_OF_MEMORY.search(str(error)):
                raise
            told = printable(" ".join(str(error).split())[:200])
            raise click.ClickException(
                f"memory ran out ({told}): lower what is high of backbone.batch_size, backbone.frames, "
                "train.batch_size, model.latent, evaluate.classifier.samples, or the workers"
            ) from error
        except OSError as error:
            where = f"{error.filename}: " if error.filename else ""
            raise click.ClickException(printable(f"{where}{error.strerror or error}")) from error


@click.group(cls=Program, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.option(
    "-w",
    "--workspace",
    type=click.Path(file_okay=False, path_type=Path),
    envvar="FSVAE_WORKSPACE",
    default=Path("fsvae-work"),
    show_default=True,
    show_envvar=True,
    help="Folder that holds config.toml and everything made from it.",
)
@click.version_option(package_name="fsvae-pipe", prog_name="fsvae-pipe")
@click.pass_context
def main(ctx: click.Context, workspace: Path) -> None:
    """Zero-shot skeleton-based action recognition: from raw NTU skeleton files to results.

    \b
    Start here:  fsvae-pipe demo
    Your data:   fsvae-pipe -w DIR init SPLIT --raw PATH, then fsvae-pipe -w DIR run
    """
    ctx.obj = workspace


@main.command()
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
    from pipeline.init import init as write
    from pipeline.workspace import Workspace

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
    from pipeline.status import stage_states

    for state in stage_states(context):
        if state.stage in stage.needs and state.state == "stale":
            reasons = printable("; ".join(state.reasons))
            context.console.print(f"warning: {state.stage} is stale ({reasons})", style="yellow", markup=False)


def add_stage_command(stage: Stage) -> None:
    """Give `stage` its command: when it is up to date it says so, --force does it again."""

    def run_stage(context: Context, force: bool, raw: tuple[Path, ...] = ()) -> None:
        with locked(context.workspace):
            if raw:
                from pipeline.init import set_raw

                context = replace(context, config=set_raw(context, raw))
            warn_of_stale_needs(context, stage)
            if not run_stages(context, [stage], [stage.name] if force else []):
                click.echo(f"{stage.name}: up to date (--force does it again)")
                if stage.name == "evaluate":
                    from pipeline.results import print_results

                    print_results(context)

    command = with_context(run_stage)
    command = click.option("--force", is_flag=True, help="Do it again even when it is up to date.")(command)
    if stage.name in RUN_STAGES:
        command = run_option(command)
    if stage.name == "preprocess":
        command = raw_option(command)
    main.command(name=stage.name, help=stage.help)(command)


for _stage in STAGES:
    add_stage_command(_stage)


@main.command()
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
            click.echo(f"{state.stage}: {state.state} ({printable('; '.join(state.reasons))})")
        if not states:
            click.echo(f"nothing to do: {done} up to date")
        return
    with locked(context.workspace):
        if not run_stages(context, stages, force):
            click.echo(f"nothing to do: {done} up to date")


@main.command()
@run_option
@click.option("--json", "as_json", is_flag=True, help="Print the states as JSON.")
@click.option("--quiet", is_flag=True, help="Print nothing; exit 1 when anything is stale or missing.")
@with_context
def status(context: Context, as_json: bool, quiet: bool) -> None:
    """Show each stage as done, stale (and why) or missing."""
    from pipeline.status import stage_states

    states = stage_states(context)
    up_to_date = all(state.state == "done" for state in states)
    if quiet:
        sys.exit(0 if up_to_date else 1)
    if as_json:
        click.echo(json.dumps([asdict(state) for state in states], indent=2))
        return
    for state in states:
        click.echo(f"{state.stage:<12}{state.state:<9}{printable('; '.join(state.reasons))}".rstrip())
    if up_to_date:
        click.echo("every stage is up to date")


@main.command("import")
@click.argument("kind", type=click.Choice(KINDS))
@click.argument("files", nargs=-1, required=True, metavar="FILE...")
@with_context
def import_files(context: Context, kind: Kind, files: tuple[str, ...]) -> None:
    """Take published files in place of what a stage would make (see docs/importing.md).

    \b
    features   folders of Shift-GCN features, one a phase -> features/test.h5, features/val.h5
    text       text features, a file a level -> text.h5
    skeletons  arrays of a fixed length, *_data_joint.npy or one .npz -> skeletons.h5

    \b
    Example: fsvae-pipe -w work import features shift_5_r shift_val_5_r
             fsvae-pipe -w work import text lb_60.npy md_60.npy ad_60.npy
    """
    from pipeline.import_ import import_

    with locked(context.workspace):
        for line in import_(context, kind, files):
            click.echo(printable(line))


@main.command()
@click.argument("what", metavar="CLIP|ACTION")
@click.option("-o", "--output", type=click.Path(dir_okay=False, path_type=Path), help="File to write, .html or .gif.")
@click.option("--gif", is_flag=True, help="Write a GIF instead of a page.")
@click.option("--from-raw", is_flag=True, help="Look names and actions up in the raw files instead of skeletons.h5.")
@click.option("--clips", default=4, show_default=True, type=click.IntRange(1), help="Clips of an action at most.")
@click.option("--fps", default=30.0, show_default=True, type=click.FloatRange(1, 1000), help="Frames a second.")
@click.option("--joint-labels", is_flag=True, help="Show the joints' numbers (the page can switch them).")
@click.option("--body-labels", is_flag=True, help="Show the bodies' numbers (the page can switch them).")
@with_context_if_any
def show(context: Context, what: str, fps: float, **options: Any) -> None:
    """Draw clips as moving skeletons, as a page or a GIF, to check that data went in right.

    CLIP is a raw file (NAME.skeleton, or one in ARCHIVE.zip/) or a clip's name in skeletons.h5; ACTION is one as A001.

    \b
    Example: fsvae-pipe -w work show A011 --from-raw --joint-labels
    """
    from pipeline.show import show as write

    click.echo(printable(f"wrote {write(context, what, frames_per_second=fps, **options)}"))


@main.command()
@click.argument("clips", nargs=-1, required=True, metavar="CLIP...", type=click.Path(exists=True, path_type=Path))
@run_option
@seed_option
@given_options
@mode_option
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line and clip.")
@click.option("--csv", "as_csv", is_flag=True, help="A CSV row for each clip and rank.")
@click.option("--top", type=click.IntRange(1), default=3, show_default=True, help="Actions to name for each clip.")
@with_context
def predict(context: Context, clips: tuple[Path, ...], as_json: bool, as_csv: bool, **options: Any) -> None:
    """Name the actions in clips: .skeleton files, folders or zip archives of them.

    \b
    Example: fsvae-pipe -w work predict clip.skeleton
    Example: fsvae-pipe -w work predict clips/ --json --action "wave | a hand swings ... | a person greets ..."
    """
    from pipeline.predict import predict as write_answers

    if as_json and as_csv:
        raise click.UsageError("--json and --csv are two forms of the answers; give one")
    form: Literal["json", "csv", "table"] = "json" if as_json else "csv" if as_csv else "table"
    write_answers(context, clips, form=form, output=sys.stdout, **options)


@main.command()
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
@run_option
@seed_option
@given_options
@mode_option
@click.option("--features", is_flag=True, help="Write the features of both phases as feature folders instead.")
@with_context
def export(context: Context, folder: Path, features: bool, **options: Any) -> None:
    """Write a run to FOLDER as an ONNX graph with all that its user must know, or its features as .npy files.

    \b
    Example: fsvae-pipe -w work export model
    Example: fsvae-pipe -w work export --features features-for-others
    """
    from pipeline.export import export as write
    from pipeline.export_features import export_features

    if features:
        given = [name for name in ("actions", "actions_file", "seed") if options[name]]
        if given or options["mode"] != "gzsl":
            raise click.UsageError(
                "--features writes what extract made; it takes no --action, --actions, --seed, --mode"
            )
        for path in export_features(context, folder):
            click.echo(printable(f"wrote {path}"))
        return
    written = write(context, folder, **options)
    for path in written.files:
        click.echo(printable(f"wrote {path}"))
    click.echo(f"largest difference from PyTorch: {written.largest_difference:.1e}")


@main.command()
@click.argument("runs", metavar="[RUN]...", nargs=-1)
@click.option("-o", "--output", type=click.Path(dir_okay=False, path_type=Path), help="Page to write.")
@click.pass_obj
def report(folder: Path, /, runs: tuple[str, ...], output: Path | None) -> None:
    """Write a page of a finished run, or of several side by side; it opens in any browser, offline.

    RUN is a folder in runs/ ("default" when none is named), or the path of one in another workspace.

    \b
    Example: fsvae-pipe -w work report default wider
    """
    from pipeline.report import report as write

    click.echo(printable(f"wrote {write(Workspace(folder), runs or ('default',), output)}"))


@main.command()
@click.option("--init", "begin", is_flag=True, help="Write a starter CSV for the actions of the workspace.")
@click.option("--json", "as_json", is_flag=True, help="Print problems and neighbours as JSON.")
@click.option("--neighbours", default=3, show_default=True, type=click.IntRange(1), help="Of each action, to show.")
@click.option("--pairs", default=15, show_default=True, type=click.IntRange(1), help="Most alike pairs to show.")
@with_context
def texts(context: Context, begin: bool, as_json: bool, neighbours: int, pairs: int) -> None:
    """Check the descriptions, and show which actions their texts leave easy to confuse.

    \b
    Example: fsvae-pipe -w work texts --set text.encoder=minilm
    """
    from pipeline.texts import texts as check_texts

    with locked(context.workspace) if begin else nullcontext():
        check_texts(context, init=begin, as_json=as_json, neighbours=neighbours, pairs=pairs)


@main.command()
@click.argument("grid")
@click.option("--workers", type=click.IntRange(0), default=0, show_default=True, help="Rows at a time; 0 = all cores.")
@with_context
def sweep(context: Context, grid: str, workers: int) -> None:
    """Train and evaluate many settings over the same features, into one CSV and one table.

    GRID is presets, ablation, texts, losses, or a TOML file with rows of settings (the manual shows one). Each row is a
    run of its own; a sweep that was stopped goes on where it was.

    \b
    Example: fsvae-pipe -w work sweep ablation --set train.seeds=[5,6,7]
    """
    from pipeline.sweep import sweep as run_grid

    overrides = click.get_current_context().params["overrides"]
    with locked(context.workspace):
        click.echo(printable(f"wrote {run_grid(context, grid, overrides, workers)}"))


@main.command()
@click.option(
    "--folder",
    type=click.Path(file_okay=False, path_type=Path),
    help="Workspace to make. [default: that of -w, else fsvae-demo]",
)
@click.option(
    "--seed",
    type=click.IntRange(0, 2**31),
    default=5,
    show_default=True,
    help="Of the made clips and of everything trained on them.",
)
@click.pass_context
def demo(ctx: click.Context, folder: Path | None, seed: int) -> None:
    """All of it on made clips: raw files to results, offline, in minutes."""
    from pipeline.demo import demo as run_demo

    if folder is None:
        given = ctx.find_root().get_parameter_source("workspace") is ParameterSource.COMMANDLINE
        folder = ctx.obj if given else Path("fsvae-demo")
    with locked(Workspace(folder)):
        run_demo(folder, seed=seed, console=Console(stderr=True, soft_wrap=True))
