"""The commands around the stages: import data, use a finished run, compare several, and the demo."""

import sys
from contextlib import nullcontext
from pathlib import Path
from typing import Any, Literal

import click
from rich.console import Console

from pipeline.cli.cluster_option import cluster_option, on_cluster
from pipeline.cli.options import (
    action_options,
    is_study,
    mode_option,
    recording_options,
    run_option,
    seed_option,
    window_options,
    windows_of,
    with_context,
)
from pipeline.cli.study_commands import study_report
from pipeline.exchange.import_ import KINDS, Kind
from pipeline.messages.errors import printable
from pipeline.messages.hints import complete_commands, given_workspace
from pipeline.messages.streams import redirect_as_utf8
from pipeline.workspace.context import Context
from pipeline.workspace.folder import StudyFolder, Workspace
from pipeline.workspace.lock import locked


@click.command("import")
@click.argument("kind", type=click.Choice(KINDS))
@click.argument("files", nargs=-1, required=True, metavar="FILE...")
@with_context
def import_files(context: Context, kind: Kind, files: tuple[str, ...]) -> None:
    """Import published files instead of running the stage that would make them (see docs/importing.md).

    \b
    features   Shift-GCN features, one folder for each phase -> features/test.h5, features/val.h5
    text       text features, one file for each level -> text.h5
    skeletons  arrays of a fixed length, *_data_joint.npy or one .npz -> skeletons.h5

    \b
    Example: fsvae-pipe -w work import features shift_5_r shift_val_5_r
             fsvae-pipe -w work import text lb_60.npy md_60.npy ad_60.npy
    """
    from pipeline.exchange.import_ import import_

    with locked(context.workspace):
        for line in import_(context, kind, files):
            click.echo(complete_commands(line))


@click.command()
@click.argument("clips", nargs=-1, required=True, metavar="CLIP...", type=click.Path(exists=True, path_type=Path))
@run_option
@seed_option
@action_options
@mode_option
@click.option("--json", "as_json", is_flag=True, help="Print a line with a JSON object for each clip.")
@click.option("--csv", "as_csv", is_flag=True, help="Print a CSV row for each clip and rank.")
@click.option(
    "--top", type=click.IntRange(1), default=3, show_default=True, help="Number of actions to name for each clip."
)
@click.option(
    "--reject",
    type=click.FloatRange(0, 1, max_open=True),
    metavar="SHARE",
    help='Answer "none of these" where no text of --mode fits; SHARE of right answers may be lost by it, as 0.05.',
)
@window_options
@recording_options(written=False)
@with_context
def predict(
    context: Context,
    clips: tuple[Path, ...],
    as_json: bool,
    as_csv: bool,
    window: float | None,
    stride: float | None,
    page: Path | None,
    layout: str | None,
    fps: float | None,
    mirrored: bool,
    **options: Any,
) -> None:
    """Name the action in each clip; CLIP is a .skeleton file (or one of --layout), or a folder or archive of them.

    With --window, a clip is a recording of any length: it says which action is shown from when to when.

    \b
    Example: fsvae-pipe -w work predict clip.skeleton
    Example: fsvae-pipe -w work predict hour.csv --layout azure-kinect --window 2s --page hour.html
    Example: fsvae-pipe -w work predict hour.skeleton --mode zsl --reject 0.05 --window 2s
    Example: fsvae-pipe -w work predict clips/ --json --action "wave | a hand swings ... | a person greets ..."
    """
    from pipeline.phases.raw_recordings import with_recordings
    from pipeline.predict.predict import predict as write_answers

    if as_json and as_csv:
        raise click.UsageError("--json and --csv are two forms of the same answers; give one of them")
    form: Literal["json", "csv", "table"] = "json" if as_json else "csv" if as_csv else "table"
    if as_csv:
        redirect_as_utf8()
    windows = windows_of(window, stride, page)
    others = with_recordings(context, clips, layout, fps, mirrored) if layout or fps or mirrored else None
    options |= {"windows": windows, "page": page, "recordings": others}
    write_answers(context, clips, form=form, output=sys.stdout, **options)


@click.command()
@run_option
@seed_option
@click.option("--port", type=click.IntRange(1, 65535), default=7860, show_default=True, help="Port of the page.")
@click.option(
    "--host", default="127.0.0.1", show_default=True, help="Address to serve at; the default is this machine alone."
)
@click.option("--browser/--no-browser", default=True, show_default=True, help="Open the page in the browser.")
@with_context
def app(context: Context, **options: Any) -> None:
    """Open a page that names the action in a recording while you edit the texts of actions.

    It needs the extra `app`: pip install 'fsvae-pipe[app]'. Recordings and texts stay on this machine.

    \b
    Example: fsvae-pipe -w fsvae-demo app
    """
    from pipeline.app.app import app as serve

    serve(context, **options)


@click.command()
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
@run_option
@seed_option
@action_options
@mode_option
@click.option("--features", is_flag=True, help="Write the features of both phases, as feature folders.")
@with_context
def export(context: Context, folder: Path, features: bool, **options: Any) -> None:
    """Write a run to FOLDER as an ONNX graph with all that is needed to use it, or its features as .npy files.

    \b
    Example: fsvae-pipe -w work export model
    Example: fsvae-pipe -w work export --features features-for-others
    """
    from pipeline.exchange.export import export as write
    from pipeline.exchange.export_features import export_features

    if features:
        if options["mode"] != "gzsl" or any(options[name] for name in ("actions", "actions_file", "seed")):
            raise click.UsageError(
                "--features writes what extract made, so it takes no --action, --actions, --seed or --mode"
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
    """Write a page about one finished run, about several side by side, or about a study and each of its runs.

    The page opens in any browser, offline. RUN is a folder in runs/ ("default" when none is named), or the path of a
    run in another workspace. In the folder of a study, RUN and --output are left out.

    \b
    Example: fsvae-pipe -w work report default wider
    """
    from pipeline.report.report import report as write

    if is_study(folder) and not runs and output is None:
        click.echo(printable(f"wrote {study_report(StudyFolder(folder))}"))
        return

    click.echo(printable(f"wrote {write(Workspace(folder), runs or ('default',), output)}"))


@click.command()
@click.option(
    "--init", "begin", is_flag=True, help="Write a CSV to fill in, with a row for each action of the workspace."
)
@click.option("--json", "as_json", is_flag=True, help="Print problems and neighbours as JSON.")
@click.option(
    "--neighbours", default=3, show_default=True, type=click.IntRange(1), help="Most similar actions to show for each."
)
@click.option("--pairs", default=15, show_default=True, type=click.IntRange(1), help="Most similar pairs to show.")
@with_context
def texts(context: Context, begin: bool, as_json: bool, neighbours: int, pairs: int) -> None:
    """Check the descriptions, and show which actions are easy to confuse by their texts.

    \b
    Example: fsvae-pipe -w work texts --set text.encoder=minilm
    """
    from pipeline.texts.texts import texts as check_texts

    with locked(context.workspace) if begin else nullcontext():
        check_texts(context, init=begin, as_json=as_json, neighbours=neighbours, pairs=pairs)


@click.command()
@click.argument("grid")
@click.option(
    "--workers", type=click.IntRange(0), default=0, show_default=True, help="Rows to train at once; 0 = one a core."
)
@cluster_option
@with_context
def sweep(context: Context, grid: str, workers: int, cluster: str | None) -> None:
    """Train and evaluate many settings on the same features, and write the results as one CSV and one table.

    GRID is presets, aligners, ablation, texts, losses, or a TOML file with rows of settings (the manual shows one).
    Each row is a run of its own, so a sweep that was stopped goes on where it was.

    \b
    Example: fsvae-pipe -w work sweep ablation --set train.seeds=[5,6,7]
    """
    from pipeline.running.sweep import sweep as run_grid

    overrides = click.get_current_context().params["overrides"]
    with locked(context.workspace), on_cluster(context, cluster) as context:
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
    help="Seed of the synthetic clips and of all training.",
)
def demo(folder: Path | None, seed: int) -> None:
    """Run the whole program on synthetic clips: from raw files to results, offline, in minutes."""
    from pipeline.demo.demo import demo as run_demo

    folder = folder or given_workspace() or Path("fsvae-demo")
    with locked(Workspace(folder)):
        run_demo(folder, seed=seed, console=Console(stderr=True, soft_wrap=True))
