"""Brings the runs of a study up to date, one after another. What is fresh is kept, and what fails does not stop others.

Each stage uses all cores itself, so that splits are not worked on at the same time.
"""

import contextlib
import io
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace

from rich.console import Console

from data.errors import DataError
from descriptions.errors import DescriptionError
from models.errors import ModelError
from pipeline.messages.errors import PipelineError, WrongUsage
from pipeline.messages.hints import complete_commands, working_in
from pipeline.running.run import run_stages
from pipeline.running.staleness import imported_outputs
from pipeline.running.unfilled_settings import require_filled_in
from pipeline.stages.table import Stage
from pipeline.study.layout import dataset_context, drawn_splits, lay_out, run_context, splits_of
from pipeline.study.states import EMBED_TEXT, EVALUATE, EXTRACT, PREPROCESS, TRAIN, needs_clips, part_name
from pipeline.study.study_file import RandomSplits, Study, StudyDataset, StudySplit
from pipeline.workspace.context import Context
from pipeline.workspace.lock import locked

FAULTS = (DataError, DescriptionError, ModelError, PipelineError)


@dataclass(frozen=True)
class Choice:
    """The data sets, splits and families that a command names; without any, all."""

    names: frozenset[str] = frozenset()

    def has(self, dataset: StudyDataset, split: str, group: str) -> bool:
        """Whether the split called `split`, of the group `group`, is among them."""
        return not self.names or bool(self.names & {dataset.name, split, group, f"{dataset.name}/{split}"})


def choose(study: Study, names: Collection[str]) -> Choice:
    """Return the choice that `names` make. Raises WrongUsage when one is nothing of the study's."""
    known = {dataset.name: _names(dataset) for dataset in study.datasets}
    every = {name for dataset, splits in known.items() for name in (dataset, *splits)}
    every |= {f"{dataset}/{split}" for dataset, splits in known.items() for split in splits}
    for name in names:
        if name not in every:
            raise WrongUsage(f'{study.folder.file} has no data set or split "{name}"; it has {", ".join(known)}')
    return Choice(frozenset(names))


def _names(dataset: StudyDataset) -> set[str]:
    if isinstance(dataset.splits, RandomSplits):
        return {f"random-{number}" for number in range(1, dataset.splits.random + 1)}
    return {name for split in dataset.splits for name in (split.name, split.group)}


def lay_out_all(study: Study, choice: Choice, console: Console) -> None:
    """Write the config.toml of every workspace that is known."""
    for dataset in chosen_datasets(study, choice):
        lay_out(study, dataset, None, console)
        for split in drawn_splits(study, dataset)[0]:
            lay_out(study, dataset, split, console)


def require_complete(study: Study, choice: Choice, console: Console) -> None:
    """Raise PipelineError when a data set lacks settings or files, before any work is done."""
    for dataset in chosen_datasets(study, choice):
        place, whole = f"[datasets.{dataset.name}]", dataset_context(study, dataset, console)
        chosen, clips = _chosen_splits(study, dataset, choice, console)
        given = whole.config.dataset.raw or whole.config.dataset.manifest or imported_outputs(PREPROCESS, whole)
        if clips and not given:
            raise PipelineError(
                f"{study.folder.file}, {place}: raw is empty: name the folders or zip archives of the raw clips. "
                "Without them, import features into the workspace of each split: "
                f"`fsvae-pipe -w {whole.workspace.root}/SPLIT import features FOLDER FOLDER`"
            )
        contexts = [run_context(study, dataset, split, study.presets[0], console) for split in chosen]
        for context in contexts or [_with_any_split(whole)]:
            with working_in(whole.workspace.root):
                try:
                    require_filled_in(context)
                except PipelineError as error:
                    advice = f"(study.toml, {place}, says what this file says: change it there)"
                    raise PipelineError(complete_commands(f"{error} {advice}")) from error


def _with_any_split(context: Context) -> Context:
    """Return a context that names an unseen action, in place of those that are still to be drawn."""
    dataset = context.config.dataset.model_copy(update={"unseen": ("A001",)})
    return replace(context, config=context.config.model_copy(update={"dataset": dataset}))


def chosen_datasets(study: Study, choice: Choice) -> list[StudyDataset]:
    """Return the data sets of which a split is chosen."""
    return [dataset for dataset in study.datasets if any(choice.has(dataset, name, name) for name in _names(dataset))]


def _chosen_splits(
    study: Study, dataset: StudyDataset, choice: Choice, console: Console
) -> tuple[list[StudySplit], bool]:
    """Return the chosen splits that are known, and whether chosen ones need the clips in skeletons.h5."""
    splits, not_drawn = drawn_splits(study, dataset)
    chosen = [split for split in splits if choice.has(dataset, split.name, split.group)]
    return chosen, bool(not_drawn) or any(needs_clips(study, dataset, split, console) for split in chosen)


def bring_up_to_date(study: Study, choice: Choice, console: Console) -> dict[str, str]:
    """Run every stage that is not up to date. Return the message of each data set, split and run that failed."""
    failed = {}
    for dataset in chosen_datasets(study, choice):
        for name, fault in _faults(study, dataset, choice, console):
            failed[name] = fault
            console.print(f"failed: {name}: {fault}", style="red", markup=False, highlight=False)
    return failed


def _faults(study: Study, dataset: StudyDataset, choice: Choice, console: Console) -> Iterator[tuple[str, str]]:
    """Work on one data set. Yield the name and the message of everything that fails."""
    _, clips = _chosen_splits(study, dataset, choice, console)
    try:
        context = dataset_context(study, dataset, console)
        _run(context, [PREPROCESS, EMBED_TEXT] if clips else [EMBED_TEXT], part_name(dataset))
        splits = splits_of(study, dataset)
        for split in splits:
            lay_out(study, dataset, split, console)
    except FAULTS as error:
        yield part_name(dataset), str(error)
        return
    for split in splits:
        if not choice.has(dataset, split.name, split.group):
            continue
        try:
            context = run_context(study, dataset, split, study.presets[0], console)
            _run(context, [EXTRACT], part_name(dataset, split))
        except FAULTS as error:
            yield part_name(dataset, split), str(error)
            continue
        for preset in study.presets:
            try:
                context = run_context(study, dataset, split, preset, console)
                _run(context, [TRAIN, EVALUATE], part_name(dataset, split, preset))
            except FAULTS as error:
                yield part_name(dataset, split, preset), str(error)


def _run(context: Context, stages: Sequence[Stage], name: str) -> None:
    """Run those of `stages` that are not up to date. The tables of evaluate are left to the end of the study."""
    context.console.print(f"study: {name}", style="bold", highlight=False, markup=False)
    with working_in(context.workspace.root):
        try:
            with locked(context.workspace), contextlib.redirect_stdout(io.StringIO()):
                run_stages(context, stages)
        except FAULTS as error:
            raise PipelineError(complete_commands(str(error))) from error
