"""Commands around the stages: what brings data in, shows it, uses a finished run or compares several, and the demo."""

import sys
from contextlib import nullcontext
from pathlib import Path
from typing import Any, Literal

import click
from rich.console import Console

from pipeline.cli.options import (
    given_options,
    locked,
    mode_option,
    run_option,
    seed_option,
    with_context,
    with_context_if_any,
)
from pipeline.exchange.import_ import KINDS, Kind
from pipeline.messages.errors import printable
from pipeline.messages.hints import given_workspace, told
from pipeline.workspace.context import Context
from pipeline.workspace.folder import Workspace


@click.command("import")
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
    from pipeline.exchange.import_ import import_

    with locked(context.workspace):
        for line in import_(context, kind, files):
            click.echo(told(line))


@click.command()
@click.argument("clip_or_action", metavar="CLIP|ACTION")
@click.option("-o", "--output", type=click.Path(dir_okay=False, path_type=Path), help="File to write, .html or .gif.")
@click.option("--gif", is_flag=True, help="Write a GIF instead of a page.")
@click.option("--from-raw", is_flag=True, help="Look names and actions up in the raw files instead of skeletons.h5.")
@click.option(
    "--clips",
    "most_clips",
    default=4,
    show_default=True,
    type=click.IntRange(1),
    help="Show at most this many clips of an action.",
)
@click.option("--fps", default=30.0, show_default=True, type=click.FloatRange(1, 1000), help="Frames a second.")
@click.option("--joint-labels", is_flag=True, help="Show the joints' numbers (the page can switch them).")
@click.option("--body-labels", is_flag=True, help="Show the bodies' numbers (the page can switch them).")
@with_context_if_any
def show(context: Context, clip_or_action: str, fps: float, **options: Any) -> None:
    """Draw clips as moving skeletons, as a page or a GIF, to check that data went in right.

    CLIP is a raw file (NAME.skeleton, or one in ARCHIVE.zip/) or a clip's name in skeletons.h5; ACTION is one as A001.

    \b
    Example: fsvae-pipe -w work show A011 --from-raw --joint-labels
    """
    from pipeline.show.show import show as write

    click.echo(printable(f"wrote {write(context, clip_or_action, frames_per_second=fps, **options)}"))


@click.command()
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
    from pipeline.predict.predict import predict as write_answers

    if as_json and as_csv:
        raise click.UsageError("--json and --csv are two forms of the answers; give one")
    form: Literal["json", "csv", "table"] = "json" if as_json else "csv" if as_csv else "table"
    write_answers(context, clips, form=form, output=sys.stdout, **options)


@click.command()
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
    from pipeline.exchange.export_features import export_features
    from pipeline.predict.export import export as write

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


@click.command()
@click.argument("runs", metavar="[RUN]...", nargs=-1)
@click.option("-o", "--output", type=click.Path(dir_okay=False, path_type=Path), help="Page to write.")
@click.pass_obj
def report(folder: Path, /, runs: tuple[str, ...], output: Path | None) -> None:
    """Write a page of a finished run, or of several side by side; it opens in any browser, offline.

    RUN is a folder in runs/ ("default" when none is named), or the path of one in another workspace.

    \b
    Example: fsvae-pipe -w work report default wider
    """
    from pipeline.report.report import report as write

    click.echo(printable(f"wrote {write(Workspace(folder), runs or ('default',), output)}"))


@click.command()
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
    from pipeline.texts.texts import texts as check_texts

    with locked(context.workspace) if begin else nullcontext():
        check_texts(context, init=begin, as_json=as_json, neighbours=neighbours, pairs=pairs)


@click.command()
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
    from pipeline.running.sweep import sweep as run_grid

    overrides = click.get_current_context().params["overrides"]
    with locked(context.workspace):
        click.echo(printable(f"wrote {run_grid(context, grid, overrides, workers)}"))


@click.command()
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
def demo(folder: Path | None, seed: int) -> None:
    """All of it on made clips: raw files to results, offline, in minutes."""
    from pipeline.demo.demo import demo as run_demo

    folder = folder or given_workspace() or Path("fsvae-demo")
    with locked(Workspace(folder)):
        run_demo(folder, seed=seed, console=Console(stderr=True, soft_wrap=True))
