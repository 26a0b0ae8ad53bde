"""`fsvae-pipe reproduce`: brings a whole study up to date and ends with its tables; and `report` of a study."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from rich.console import Console

from pipeline.messages.errors import PipelineError, WrongUsage
from pipeline.report.report import report as write_report
from pipeline.study.begin import begin
from pipeline.study.outcomes import Group, groups_of, study_outcomes
from pipeline.study.outputs import outcomes_of, print_tables, write_tables
from pipeline.study.states import study_parts
from pipeline.study.study_file import Study, in_workspace, read_study
from pipeline.study.work import bring_up_to_date, choose, chosen_datasets, lay_out_all, require_complete
from pipeline.workspace.folder import StudyFolder
from pipeline.workspace.init import stored_paths


def open_study(folder: StudyFolder, names: Sequence[str], raw: Sequence[Path], own: bool) -> tuple[Study, list[str]]:
    """Return the study of `folder`, begun now if there is none, and the names that limit it.

    `own` lets a name be that of a data set of the user's. Raises WrongUsage when names or raw files do not fit.
    """
    if folder.file.exists():
        study, given = read_study(folder), [in_workspace(str(path)) for path in stored_paths(raw, folder.root)]
        for dataset in chosen_datasets(study, choose(study, names)) if given else ():
            if given != dataset.settings.get("dataset.raw"):
                raise WrongUsage(
                    f"{folder.file} is there already, and names other raw files for {dataset.name} than --raw; change "
                    "them there, and leave --raw out"
                )
        return study, list(names)
    begin(folder, names, raw, own)
    return read_study(folder), []


def reproduce(study: Study, names: Sequence[str], console: Console) -> list[Path]:
    """Run what is not up to date, print the tables of the whole study, and return the files that hold them.

    Raises PipelineError when something is missing in study.toml, and after everything is written when a part failed.
    """
    choice = choose(study, names)
    lay_out_all(study, choice, console)
    require_complete(study, choice, console)
    failed = bring_up_to_date(study, choice, console)
    groups = groups_now(study, console, failed)
    paths = write_tables(study, groups)
    print_tables(study, groups, Console())
    if failed:
        first, message = next(iter(failed.items()))
        raise PipelineError(
            f"{len(failed)} part{'s' if len(failed) > 1 else ''} of the study failed, the first: {first}: {message}. "
            "The same command tries what failed again"
        )
    return paths


def groups_now(study: Study, console: Console, failed: Mapping[str, str]) -> list[Group]:
    """Return the results of all runs that are up to date, in groups."""
    return groups_of(study, list(study_outcomes(study, list(study_parts(study, console)), failed)))


def report(study: Study, console: Console) -> Path:
    """Write the report of each run that is up to date, and the page of the study with a link to each."""
    groups = groups_now(study, console, {})
    finished = [outcome for outcome in outcomes_of(groups) if outcome.results]
    for number, outcome in enumerate(finished, start=1):
        write_report(study.folder.split(outcome.dataset.name, outcome.split.name), [outcome.preset])
        console.print(f"report: {outcome.name} ({number} of {len(finished)})", highlight=False, markup=False)
    write_tables(study, groups)
    return study.folder.page
