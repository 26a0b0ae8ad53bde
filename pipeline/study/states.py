"""What is done, stale or missing in a study, and `fsvae-pipe status` of it. Loads no torch."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rich.console import Console

from pipeline.running.staleness import StageState, imported_outputs, stage_state, stage_states
from pipeline.running.status import reasons
from pipeline.stages.table import stage_named
from pipeline.study.layout import dataset_context, drawn_splits, run_context
from pipeline.study.study_file import Preset, RandomSplits, Study, StudyDataset, StudySplit

PREPROCESS, EXTRACT, EMBED_TEXT, TRAIN, EVALUATE = (
    stage_named(name) for name in ("preprocess", "extract", "embed-text", "train", "evaluate")
)


@dataclass(frozen=True)
class Part:
    """A data set, a split of it, or a run, with the states of its own stages."""

    dataset: StudyDataset
    split: StudySplit | None
    preset: Preset | None
    states: tuple[StageState, ...]

    @property
    def name(self) -> str:
        """ "ntu60", "ntu60/ntu60-synse-55-5" or "ntu60/ntu60-synse-55-5 paper"."""
        return part_name(self.dataset, self.split, self.preset)

    @property
    def to_do(self) -> tuple[StageState, ...]:
        """The states of the stages that are not done."""
        return tuple(state for state in self.states if state.state != "done")


def part_name(dataset: StudyDataset, split: StudySplit | None = None, preset: Preset | None = None) -> str:
    """Return the name of a data set, a split or a run, as on the screen."""
    of_split = f"/{split.name}" if split else ""
    return f"{dataset.name}{of_split}{f' {preset}' if preset else ''}"


def needs_clips(study: Study, dataset: StudyDataset, split: StudySplit, console: Console) -> bool:
    """Whether the features of a split come from skeletons.h5, and were not imported."""
    return not imported_outputs(EXTRACT, run_context(study, dataset, split, study.presets[0], console))


def study_parts(study: Study, console: Console) -> Iterator[Part]:
    """Yield every data set, split and run, in the order of work. Random splits are left out until they are drawn."""
    for dataset in study.datasets:
        splits, not_drawn = drawn_splits(study, dataset)
        clips = not_drawn or any(needs_clips(study, dataset, split, console) for split in splits)
        stages = (PREPROCESS, EMBED_TEXT) if clips else (EMBED_TEXT,)
        shared = {state.stage: state for state in stage_states(dataset_context(study, dataset, console), stages)}
        yield Part(dataset, None, None, tuple(shared.values()))
        for split in splits:
            context = run_context(study, dataset, split, study.presets[0], console)
            extract = stage_state(EXTRACT, context, shared)
            yield Part(dataset, split, None, (extract,))
            for preset in study.presets:
                context = run_context(study, dataset, split, preset, console)
                train = stage_state(TRAIN, context, {**shared, EXTRACT.name: extract})
                earlier = {**shared, EXTRACT.name: extract, TRAIN.name: train}
                yield Part(dataset, split, preset, (train, stage_state(EVALUATE, context, earlier)))


def as_text(study: Study, parts: Sequence[Part]) -> str:
    """A line for each data set, split and run, and a last one that counts the runs."""
    width = max(len(part.name) for part in parts) + 2
    lines = []
    for part in parts:
        states = part.to_do
        why = f"{states[0].stage}: {reasons(states[0])}" if states else ""
        lines.append(f"{part.name:<{width}}{states[0].state if states else 'done':<9}{why}".rstrip())
        if part.split is None and (why := drawn_splits(study, part.dataset)[1]):
            lines.append(f"{part.name}/random-*: {why}")
    done, all_runs = sum(not part.to_do for part in parts if part.preset), runs_of(study)
    lines.append("every run is up to date" if done == all_runs else f"{done} of {all_runs} runs are up to date")
    return "\n".join(lines)


def runs_of(study: Study) -> int:
    """The number of runs of the whole study."""
    splits = (d.splits.random if isinstance(d.splits, RandomSplits) else len(d.splits) for d in study.datasets)
    return sum(splits) * len(study.presets)


def as_json(parts: Sequence[Part]) -> str:
    """A list of objects: dataset, split, preset, stage, state, reasons; split and preset are null where all share."""
    return json.dumps(
        [
            {
                "dataset": part.dataset.name,
                "split": part.split.name if part.split else None,
                "preset": part.preset,
                **state.plain(),
            }
            for part in parts
            for state in part.states
        ],
        indent=2,
    )


def is_whole(study: Study, parts: Sequence[Part]) -> bool:
    """Whether every run is up to date."""
    return not any(part.to_do for part in parts) and sum(part.preset is not None for part in parts) == runs_of(study)
