"""The commands on recordings, before any stage: show, manifest and convert."""

from pathlib import Path
from typing import Any

import click

from pipeline.cli.options import recording_options, with_optional_workspace
from pipeline.messages.errors import printable
from pipeline.workspace.context import Context

NAMED_LINES = 3  # of labels that were left out
raw_argument = click.argument(
    "raw", nargs=-1, required=True, metavar="RAW...", type=click.Path(exists=True, path_type=Path)
)


@click.command()
@click.argument("clip_or_action", metavar="CLIP|ACTION")
@click.option("-o", "--output", type=click.Path(dir_okay=False, path_type=Path), help="File to write, .html or .gif.")
@click.option("--gif", is_flag=True, help="Write a GIF instead of a page.")
@click.option("--from-raw", is_flag=True, help="Look names and actions up in the raw files, not in skeletons.h5.")
@click.option(
    "--clips",
    "most_clips",
    default=4,
    show_default=True,
    type=click.IntRange(1),
    help="Show at most this many clips of an action, a folder or an archive.",
)
@recording_options(written=False)
@click.option("--joint-labels", is_flag=True, help="Show the numbers of joints; a page has a switch for it.")
@click.option("--body-labels", is_flag=True, help="Show the numbers of bodies; a page has a switch for it.")
@with_optional_workspace
def show(
    context: Context, clip_or_action: str, layout: str | None, fps: float | None, mirrored: bool, **options: Any
) -> None:
    """Draw clips as moving skeletons on a page or in a GIF, to check that they were read correctly.

    CLIP is a raw file (NAME.skeleton or ARCHIVE.zip/NAME.skeleton, or a file of --layout), a folder or archive of them,
    of which a few are shown, or a clip's name in skeletons.h5. ACTION is an action such as A001.

    \b
    Example: fsvae-pipe -w work show A011 --from-raw --joint-labels
    Example: fsvae-pipe show squat.mat --layout zed-34
    """
    from pipeline.phases.raw_recordings import with_recordings
    from pipeline.show.show import show as write

    context = with_recordings(context, [Path(clip_or_action)], layout, fps, mirrored)
    click.echo(printable(f"wrote {write(context, clip_or_action, frames_per_second=fps, **options)}"))


@click.command()
@raw_argument
@click.option(
    "--labels",
    multiple=True,
    type=click.Path(exists=True, path_type=Path),
    help="Label files of PKU-MMD or UTKinect, or folders of them: a row for each clip that they tell of. Repeatable.",
)
@click.option(
    "-o",
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    default=Path("clips.csv"),
    show_default=True,
    help="File to write.",
)
@recording_options(written=False)
@with_optional_workspace
def manifest(
    context: Context,
    raw: tuple[Path, ...],
    labels: tuple[Path, ...],
    output: Path,
    layout: str | None,
    fps: float | None,
    mirrored: bool,
) -> None:
    """Begin a manifest: a CSV file with a row for each clip in RAW, which are recordings, or folders or archives.

    Without --labels, each file has one row, to be filled in: who does what. Name the manifest with `init --manifest`.

    \b
    Example: fsvae-pipe manifest skeletons/ --layout pku-mmd --labels labels/ -o clips.csv
    """
    from pipeline.exchange.manifest import manifest as write
    from pipeline.phases.raw_recordings import reading_of, with_recordings

    context = with_recordings(context, raw, layout, fps, mirrored)
    rows, refused = write(raw, reading_of(context).endings, labels, output)
    click.echo(printable(f"wrote {output}: {rows} clips"))
    if not labels:
        click.echo("next: fill in who does what; remove the rows of files that show no action")
    for error in refused[:NAMED_LINES]:
        click.echo(printable(f"left out: {error}"), err=True)
    if len(refused) > NAMED_LINES:
        click.echo(f"left out: {len(refused) - NAMED_LINES} more", err=True)


@click.command()
@raw_argument
@click.option(
    "-o", "--output", type=click.Path(file_okay=False, path_type=Path), required=True, help="Folder to write."
)
@click.option(
    "--manifest",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="CSV file that says which part of which recording is which clip. Its actions are numbers.",
)
@recording_options(written=False)
@with_optional_workspace
def convert(
    context: Context,
    raw: tuple[Path, ...],
    output: Path,
    manifest: Path | None,
    layout: str | None,
    fps: float | None,
    mirrored: bool,
) -> None:
    """Write recordings as .skeleton files with NTU names, at 30 frames a second, for other programs.

    names.csv beside them says which clip is which part of which recording.

    \b
    Example: fsvae-pipe convert squat.mat --layout zed-34 -o clips
    """
    from pipeline.exchange.convert import convert as write
    from pipeline.phases.raw_recordings import convertible, with_recordings

    context = with_recordings(context, raw, layout, fps, mirrored)
    written = write(*convertible(context, raw, manifest), output)
    if written.unnamed:
        written.warnings.append(
            f"{written.unnamed} has no clip name, so all clips are counted, as action A001 of subject 1; --manifest "
            "says what they are"
        )
    for warning in written.warnings:
        context.console.print(f"warning: {printable(warning)}", style="yellow", highlight=False, markup=False)
    for error in written.refused:
        context.console.print(f"not read: {printable(str(error))}", style="yellow", highlight=False, markup=False)
    click.echo(printable(f"wrote {written.clips} clips and names.csv to {output}"))
