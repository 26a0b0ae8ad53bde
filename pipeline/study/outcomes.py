"""The results of a study's runs, and their means: over the seeds of a split, and over the splits of a group.

Only runs that are up to date count. The reason why another one has no results is kept.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from pipeline.running.status import reasons
from pipeline.running.sweep import COLUMNS
from pipeline.study.states import Part, part_name
from pipeline.study.study_file import Preset, RandomSplits, Study, StudyDataset, StudySplit
from pipeline.workspace.evaluate_settings import Rule
from pipeline.workspace.folder import RunFolder

ORACLE: Rule = "oracle"


@dataclass(frozen=True)
class Measure:
    """A mean and its spread; None where there is none."""

    mean: float
    spread: float | None


@dataclass(frozen=True)
class Outcome:
    """One run of a study: what results.json holds, or why there are no results."""

    dataset: StudyDataset
    split: StudySplit
    preset: Preset
    folder: RunFolder
    results: Mapping[str, Any] | None
    missing: str = ""

    @property
    def name(self) -> str:
        """ "ntu60/ntu60-synse-55-5 paper"."""
        return f"{self.dataset.name}/{self.split.name} {self.preset}"


@dataclass(frozen=True)
class Group:
    """The splits that are averaged: all random sets, a family of published splits, or a single split."""

    dataset: StudyDataset
    name: str
    sets: int  # as many as there should be
    outcomes: tuple[Outcome, ...]

    @property
    def title(self) -> str:
        """The name for a table, with the data set."""
        if isinstance(self.dataset.splits, RandomSplits):
            return f"{self.dataset.name}, {self.name}"
        own = self.name if self.name.startswith(self.dataset.name) else f"{self.dataset.name}, {self.name}"
        return f"{own}, mean of {self.sets}" if self.sets > 1 else own

    def finished(self, preset: Preset) -> list[Mapping[str, Any]]:
        """What results.json holds for each split with this preset that has results."""
        return [outcome.results for outcome in self.outcomes if outcome.preset == preset and outcome.results]

    def rule(self, preset: Preset) -> Rule | None:
        """The selection rule of the headline. It does not look at test classes, unless evaluate.selection says so."""
        finished = self.finished(preset)
        rule: Rule | None = finished[0]["selection"] if finished else None
        return rule

    def measures(self, preset: Preset, rule: Rule) -> dict[str, Measure]:
        """Return column -> mean and spread, with the columns of a sweep; empty when no split has results.

        The spread of a single split is the standard deviation over its seeds, that of several the standard error of
        their mean.
        """
        finished = self.finished(preset)
        if not finished:
            return {}
        return {column: self._measure(finished, rule, *place) for column, place in COLUMNS.items()}

    def chance(self) -> float | None:
        """ZSL accuracy of a guess, in percent."""
        results = [outcome.results for outcome in self.outcomes if outcome.results]
        return float(np.mean([r["mean"][ORACLE]["zsl"]["chance"] for r in results])) if results else None

    def _measure(self, finished: Sequence[Mapping[str, Any]], rule: Rule, table: str, key: str) -> Measure:
        means = [float(results["mean"][rule][table][key]) for results in finished]
        if self.sets == 1:
            seeds = len(finished[0]["seeds"])
            return Measure(means[0], float(finished[0]["std"][rule][table][key]) if seeds > 1 else None)
        error = float(np.std(means, ddof=1) / np.sqrt(len(means))) if len(means) > 1 else None
        return Measure(float(np.mean(means)), error)


def study_outcomes(study: Study, parts: Sequence[Part], failed: Mapping[str, str]) -> Iterator[Outcome]:
    """Yield every run in `parts`, with its results if it is up to date; `failed` are the messages of parts by name."""
    for part in parts:
        if part.split is None or part.preset is None:
            continue
        folder = study.folder.split(part.dataset.name, part.split.name).run(part.preset)
        results = None if part.to_do else json.loads(folder.results.read_text("utf-8"))
        above = (part.name, part_name(part.dataset, part.split), part_name(part.dataset))
        states = [f"{state.stage} is {state.state} ({reasons(state)})" for state in part.to_do]
        why = [*(failed[name] for name in above if name in failed), *states, ""]
        yield Outcome(part.dataset, part.split, part.preset, folder, results, why[0])


def groups_of(study: Study, outcomes: Sequence[Outcome]) -> list[Group]:
    """Return the groups of all data sets, in the order of study.toml."""
    groups = []
    for dataset in study.datasets:
        if isinstance(dataset.splits, RandomSplits):
            sizes = {dataset.splits.group: dataset.splits.random}
        else:
            names = [split.group for split in dataset.splits]
            sizes = {name: names.count(name) for name in names}
        for name, sets in sizes.items():
            inside = [o for o in outcomes if o.dataset.name == dataset.name and o.split.group == name]
            groups.append(Group(dataset, name, sets, tuple(inside)))
    return groups
