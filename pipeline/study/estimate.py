"""`fsvae-pipe reproduce --dry-run`: what would run, and about how long it takes.

Every time is measured: a small piece of the same work is done on this machine, and multiplied. Nothing is written.
"""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import groupby

import numpy as np
from rich.console import Console

from data.clip_name import ClipName
from data.phase_names import PHASES
from data.protocols import training_clips
from data.recordings.find_parts import find_parts
from data.recordings.read_clip import RawPart
from data.splits import NUM_ACTIONS, resolve_split
from data.stores import h5
from data.stores.feature_store import read_features
from models.aligners.protocol import fits_at_once
from models.aligners.registry import make_aligner
from models.devices import torch_device
from models.errors import ModelError
from pipeline.messages.errors import PipelineError
from pipeline.messages.remaining import duration
from pipeline.phases.raw_recordings import raw_clips_of
from pipeline.phases.texts_in_use import texts_in_use
from pipeline.study import pieces
from pipeline.study.layout import dataset_context, drawn_splits, run_context
from pipeline.study.states import EVALUATE, EXTRACT, PREPROCESS, TRAIN, Part, part_name, study_parts
from pipeline.study.study_file import Preset, RandomSplits, Study, StudyDataset, StudySplit
from pipeline.study.work import Choice, require_complete
from pipeline.workspace.context import Context

COLUMNS = ("action", "setup", "camera", "subject")


@dataclass(frozen=True)
class Step:
    """A stage that would run: on what, how much work it is, and the seconds; None = they could not be measured."""

    part: str
    stage: str
    amount: str
    seconds: float | None


@dataclass(frozen=True)
class Clips:
    """The clips of a data set, as far as their number matters; `raw` are those to read, if they can be listed."""

    number: int
    training: int
    actions: int
    raw: Sequence[tuple[ClipName, RawPart]] = ()


def print_estimate(study: Study, choice: Choice, console: Console) -> None:
    """Print a line for each stage that would run, and the sum. Raises PipelineError when settings or files lack."""
    try:
        require_complete(study, choice, console)
    except PipelineError as error:
        advice = "`fsvae-pipe reproduce --init` first brings the workspaces in line with study.toml"
        raise PipelineError(f"{error}; {advice}") from error
    screen, steps = Console(soft_wrap=True), []
    for _, parts in groupby(study_parts(study, console), lambda part: part.dataset.name):
        for step in _steps(study, list(parts), choice, console):
            steps.append(step)
            time = "not measured" if step.seconds is None else f"about {duration(step.seconds)}"
            screen.print(f"{step.part}: {step.stage}: {step.amount}: {time}", highlight=False, markup=False)
    if not steps:
        screen.print("nothing to do: every run is up to date")
        return
    unknown = sum(step.seconds is None for step in steps)
    more = f", without the {unknown} that could not be measured" if unknown else ""
    screen.print(
        f"{len(steps)} stages: about {duration(sum(step.seconds or 0 for step in steps))} in all{more}. Small pieces "
        "of this work were timed just now on this machine. Reading files and starting workers comes on top",
        highlight=False,
    )


def _steps(study: Study, parts: Sequence[Part], choice: Choice, console: Console) -> Iterator[Step]:
    """Yield the stages of one data set that would run."""
    dataset = parts[0].dataset
    to_do = {
        (part.split.name if part.split else "", part.preset or ""): [state.stage for state in part.to_do]
        for part in parts
    }
    splits = [s for s in _splits(study, dataset) if choice.has(dataset, s.name, s.group)]
    if not splits:
        return
    work = _Work(study, dataset, console)
    for stage in to_do["", ""]:
        yield work.shared(stage)
    for split in splits:
        if EXTRACT.name in to_do.get((split.name, ""), [EXTRACT.name]):
            yield work.extract(split)
        for preset in study.presets:
            for stage in to_do.get((split.name, preset), [TRAIN.name, EVALUATE.name]):
                yield work.run(split, preset, stage)


def _splits(study: Study, dataset: StudyDataset) -> Sequence[StudySplit]:
    """The splits of a data set; in place of random ones that are not drawn yet, as many without actions."""
    splits, _ = drawn_splits(study, dataset)
    if splits or not isinstance(dataset.splits, RandomSplits):
        return splits
    numbers = range(1, dataset.splits.random + 1)
    return [StudySplit(f"random-{number}", dataset.splits.group, {}) for number in numbers]


class _Work:
    """How much work the stages of one data set are. What is measured is measured once."""

    def __init__(self, study: Study, dataset: StudyDataset, console: Console) -> None:
        self.study, self.dataset, self.console = study, dataset, console
        self.context = dataset_context(study, dataset, console)
        self._of_preset: dict[str, tuple[float, float, float]] = {}

    @cached_property
    def clips(self) -> Clips:
        return _clips(
            self.context,
            [
                run_context(self.study, self.dataset, split, self.study.presets[0], self.console)
                for split in drawn_splits(self.study, self.dataset)[0]
            ],
        )

    def _run_context(self, split: StudySplit, preset: Preset | None = None) -> Context:
        return run_context(self.study, self.dataset, split, preset or self.study.presets[0], self.console)

    @cached_property
    def backbone(self) -> tuple[float, float]:
        return pieces.backbone(self.context.config, self.clips.actions)

    def unseen(self, split: StudySplit) -> int:
        """The number of unseen actions of a split."""
        if isinstance(self.dataset.splits, RandomSplits):
            return self.dataset.splits.unseen
        config = self._run_context(split).config
        return len(resolve_split(config.dataset, range(1, 1000), config.seed).unseen)

    def shared(self, stage: str) -> Step:
        """The work of preprocess or embed-text."""
        name = part_name(self.dataset)
        if stage == PREPROCESS.name:
            clips, config = self.clips, self.context.config.preprocess
            seconds = pieces.cleaning(self.context, clips.raw) * len(clips.raw) if clips.raw else None
            return Step(name, stage, f"{clips.number} clips", seconds and seconds / _workers(config.workers))
        texts = len(texts_in_use(self.context)) * len(self.context.config.text.levels)
        try:
            loading, each = pieces.embedding(self.context)
        except ModelError:
            return Step(name, stage, f"{texts} texts, whose encoder is not on this machine", None)
        return Step(name, stage, f"{texts} texts", loading + texts * each)

    def extract(self, split: StudySplit) -> Step:
        """The work of extract: a backbone for each phase, unless one is given, and the features of all clips."""
        clips, settings = self.clips, self.context.config.backbone
        training, features = self.backbone
        seen = 1 - self.unseen(split) / clips.actions
        seconds, amount = len(PHASES) * clips.number * features, f"features of {clips.number} clips in both phases"
        if not settings.weights:
            epoch = clips.training * seen * ((1 - settings.held_out) * training + settings.held_out * features)
            seconds += len(PHASES) * settings.epochs * epoch
            amount = f"{len(PHASES)} backbones for {settings.epochs} epochs, and {amount}"
        return Step(part_name(self.dataset, split), EXTRACT.name, amount, seconds)

    def run(self, split: StudySplit, preset: Preset, stage: str) -> Step:
        """The work of train or evaluate."""
        config, unseen = self._run_context(split, preset).config, self.unseen(split)
        aligner = make_aligner(config.model, config.train, config.evaluate.classifier)
        cycles, steps, seeds = aligner.cycles, config.train.steps_per_cycle, len(config.train.seeds)
        members, device = seeds * len(PHASES), torch_device(config.device)
        at_once = members if fits_at_once(aligner, device) else 1
        rounds = -(-members // min(members, _workers(config.train.workers)))
        if preset not in self._of_preset:
            seen, scored = self.clips.actions - unseen, self.clips.number - self.clips.training
            training = pieces.aligner(config, self.clips.training, seen, at_once)
            self._of_preset[preset] = *training, pieces.scoring(config, scored, seen, unseen)
        fixed, step, cycle = self._of_preset[preset]
        name = part_name(self.dataset, split, preset)
        if stage == EVALUATE.name:
            return Step(name, stage, f"{seeds} seeds, {cycles} cycles", rounds * cycles * cycle)
        times = rounds if device.type == "cpu" else members // at_once
        seconds = times * (fixed + cycles * steps * step)
        return Step(name, stage, f"{seeds} seeds, {cycles} cycles of {steps} steps", seconds)


def _workers(setting: int) -> int:
    return setting or os.cpu_count() or 1


def _clips(context: Context, splits: Sequence[Context]) -> Clips:
    """Count the clips of a data set: in skeletons.h5, else in the imported features of a split, else among raw files.

    Raises DataError or PipelineError when there are none of these.
    """
    dataset, path = context.config.dataset, context.workspace.skeletons
    raw = find_parts(raw_clips_of(context))[0] if dataset.raw or dataset.manifest else []
    last = NUM_ACTIONS.get(dataset.name, 999)
    raw = [clip for clip in raw if clip[0].action <= last]
    if path.is_file():
        with h5.reading(path) as file:
            columns = {name: h5.read_array(file, f"clip/{name}") for name in COLUMNS}
    elif imported := [s.workspace.features("test") for s in splits if s.workspace.features("test").is_file()]:
        features = read_features(imported[0])
        return Clips(len(features.action), int(features.train.sum()), len(np.unique(features.action)), raw)
    elif raw:
        columns = {name: np.array([getattr(clip, name) for clip, _ in raw], np.int64) for name in COLUMNS}
    else:
        raise PipelineError(
            f"{context.config_path}: there are neither raw clips nor skeletons.h5 nor imported features yet, so that "
            "the work can't be measured"
        )
    train = training_clips(dataset, columns["setup"], columns["camera"], columns["subject"], context.paths_from)
    return Clips(len(train), int(train.sum()), len(np.unique(columns["action"])), raw)
