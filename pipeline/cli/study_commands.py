"""The command `reproduce`, and what `status` and `report` do in the folder of a study."""

import os
import sys
from dataclasses import replace
from pathlib import Path

import click
from rich.console import Console

from pipeline.cli.cluster_option import cluster_option, work_sent_to
from pipeline.messages.errors import printable
from pipeline.messages.hints import complete_commands, given_workspace
from pipeline.workspace.folder import StudyFolder, Workspace
from pipeline.workspace.lock import locked


@click.command()
@click.argument("names", nargs=-1, metavar="[NAME]...")
@click.option(
    "--raw",
    multiple=True,
    type=click.Path(exists=True, path_type=Path),
    help="Raw clips of a new study: a folder or zip archive; written to study.toml. Repeatable.",
)
@click.option("--init", "only_begin", is_flag=True, help="Write study.toml and the workspaces, and run nothing.")
@click.option("--dry-run", is_flag=True, help="Print what would run and about how long it takes, and run nothing.")
@cluster_option
def reproduce(
    names: tuple[str, ...], raw: tuple[Path, ...], only_begin: bool, dry_run: bool, cluster: str | None
) -> None:
    """Run a study: data sets, splits, presets and seeds, up to the paper's tables with your rows in them.

    The study is the folder of -w ("study" when none is given) with its study.toml. What is up to date is kept. NAME
    limits the work to a data set, a split or a family of splits. In a new folder, NAME says what the study is of: ntu60
    or ntu120 (the splits of the paper), any named split, or with --init a name for your own data.

    \b
    Example: fsvae-pipe reproduce ntu60 --raw nturgbd_skeletons_s001_to_s017.zip
    Example: fsvae-pipe -w kitchen-study reproduce kitchen --raw recordings/ --init
    """
    from pipeline.study.reproduce import open_study
    from pipeline.study.reproduce import reproduce as run_study
    from pipeline.study.work import choose, lay_out_all

    folder = StudyFolder(given_workspace() or Path(os.environ.get("FSVAE_WORKSPACE", "study")))
    console = Console(stderr=True, soft_wrap=True)
    is_new = not folder.file.exists()
    study, chosen = open_study(folder, names, raw, only_begin)
    if is_new:
        click.echo(printable(f"wrote {folder.file}"))
    if dry_run:
        from pipeline.study.estimate import print_estimate

        print_estimate(study, choose(study, chosen), console)
        return
    with locked(Workspace(folder.root)):
        if only_begin:
            lay_out_all(study, choose(study, chosen), console)
            click.echo(complete_commands(f"next: look at {folder.file} and fill it in, then `fsvae-pipe reproduce`"))
            return
        address = cluster or study.cluster or None
        if address:
            study = replace(study, folder=StudyFolder(folder.root.absolute()))
        with work_sent_to(address, Workspace(study.folder.root), console):
            for path in run_study(study, chosen, console):
                click.echo(printable(f"wrote {path}"))


def study_status(folder: StudyFolder, as_json: bool, quiet: bool) -> None:
    """Print the states of all parts of a study."""
    from pipeline.study import states
    from pipeline.study.study_file import read_study

    study = read_study(folder)
    parts = list(states.study_parts(study, Console(stderr=True, soft_wrap=True)))
    if quiet:
        sys.exit(not states.is_whole(study, parts))
    click.echo(states.as_json(parts) if as_json else states.as_text(study, parts))


def study_report(folder: StudyFolder) -> Path:
    """Write the reports of all runs of a study, and its page."""
    from pipeline.study.reproduce import report
    from pipeline.study.study_file import read_study

    with locked(Workspace(folder.root)):
        return report(read_study(folder), Console(stderr=True, soft_wrap=True))
