"""What a report reads of a finished run: results.json, and as much of the rest as is there.

results.json must be there. Every other piece may be missing (imported features have no skeletons, predictions.h5 may
have been deleted): then a `Missing` with the reason stands in its place, and the page says it.
Letters: N test clips, S seen actions, U unseen actions.
"""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from rich.console import Console

from data.errors import DataError
from data.splits import action_label
from data.stores import h5
from data.stores.text_store import TextFeatures, read_text_features
from descriptions.errors import DescriptionError
from models.errors import ModelError
from models.zero_shot.gate import softmax
from pipeline.messages.errors import PipelineError
from pipeline.stages.inputs import model_features_and_text
from pipeline.workspace.config import Config, build_config
from pipeline.workspace.context import Context
from pipeline.workspace.folder import RunFolder, Workspace
from pipeline.workspace.provenance import read_record

Piece = TypeVar("Piece")


@dataclass(frozen=True)
class Missing:
    """In the place of a piece of the report that can't be made."""

    reason: str


def attempt(read: Callable[[], Piece]) -> Piece | Missing:
    """What `read` gives, or why it can't."""
    try:
        return read()
    except (DataError, DescriptionError, ModelError, PipelineError, OSError) as error:
        return Missing(str(error))


@dataclass(frozen=True)
class SeedPredictions:
    """One seed's scores under the rule of the headline."""

    seed: int
    cycle: int
    unseen_probabilities: NDArray[np.float32]  # (N, U)
    gate: NDArray[np.float32]  # (N,), probability of unseen
    zsl_action: NDArray[np.int64]  # (N,)
    gzsl_action: NDArray[np.int64]  # (N,), with the fitted gate


@dataclass(frozen=True)
class Predictions:
    """predictions.h5 under the rule of the headline."""

    name: NDArray[np.str_]  # (N,)
    action: NDArray[np.int64]  # (N,)
    seen_actions: NDArray[np.int64]  # (S,)
    unseen_actions: NDArray[np.int64]  # (U,)
    seen_logits: NDArray[np.float32]  # (N, S)
    seeds: tuple[SeedPredictions, ...]

    @property
    def is_unseen(self) -> NDArray[np.bool_]:
        """Which clips show an unseen action, (N,)."""
        return np.isin(self.action, self.unseen_actions)

    @property
    def seen_action(self) -> NDArray[np.int64]:
        """What the backbone says among the seen actions, (N,)."""
        return np.asarray(self.seen_actions[self.seen_logits.argmax(axis=1)])

    def seen_probabilities(self, temperature: float) -> NDArray[np.float64]:
        """The backbone's softmax over the seen actions, (N, S)."""
        return softmax(self.seen_logits, temperature)


@dataclass(frozen=True)
class RunData:
    """One run, and where its parts lie."""

    title: str  # as the user called it
    workspace: Workspace
    folder: RunFolder
    results: dict[str, Any]

    @property
    def name(self) -> str:
        """The folder in runs/."""
        return self.folder.root.name

    @property
    def rule(self) -> str:
        """The selection rule of the headline: val, last or oracle."""
        return str(self.results["selection"])

    @property
    def seeds(self) -> tuple[int, ...]:
        """The seeds, in the order of training."""
        return tuple(int(seed) for seed in self.results["seeds"])

    @cached_property
    def config(self) -> Config:
        """The settings that the run was trained and scored with. Raises ConfigError when this program lacks one."""
        return build_config(self.results["config"], str(self.folder.results))

    @cached_property
    def context(self) -> Context:
        """For what reads a workspace through a context."""
        return Context(self.workspace, self.config, self.folder.config, Console(stderr=True), self.name)

    @cached_property
    def predictions(self) -> Predictions | Missing:
        """Every test clip's scores."""
        return attempt(self._predictions)

    def _predictions(self) -> Predictions:
        with h5.reading(self.folder.predictions) as file:
            seeds = []
            for seed in self.seeds:
                at = f"{seed}/{self.rule}"
                columns = [
                    h5.read_array(file, f"{at}/{name}")
                    for name in ("unseen_probabilities", "gate", "zsl_action", "gzsl_action")
                ]
                seeds.append(SeedPredictions(seed, int(h5.read_attribute(file, at, "cycle")), *columns))
            action, seen, unseen, logits = (
                h5.read_array(file, name) for name in ("action", "seen_actions", "unseen_actions", "seen_logits")
            )
            name = h5.read_strings(file, "name")
            h5.require_as_written(file)
            return Predictions(name, action, seen, unseen, logits, tuple(seeds))

    @cached_property
    def history(self) -> pd.DataFrame | Missing:
        """history.csv: a row a seed, phase and logged step, a column for each loss that the run was trained with."""
        return attempt(self._history)

    def _history(self) -> pd.DataFrame:
        try:
            table = pd.read_csv(self.folder.history)
            numbers = dict.fromkeys(("cycle", "step", "total", *table.columns.drop(["seed", "phase"])), float)
            return table.astype({"phase": str, **numbers})
        except FileNotFoundError:
            raise DataError(f"{self.folder.history}: no such file") from None
        except (KeyError, ValueError, pd.errors.ParserError) as error:
            raise DataError(f"{self.folder.history}: not as train wrote it ({error})") from error

    @cached_property
    def texts(self) -> TextFeatures | Missing:
        """text.h5 of the workspace."""
        return attempt(lambda: read_text_features(self.workspace.text))

    @cached_property
    def labels(self) -> dict[int, str]:
        """Action -> label, where text.h5 has one."""
        if isinstance(self.texts, Missing) or "label" not in self.texts.texts:
            return {}
        return {
            int(action): str(label) for action, label in zip(self.texts.action, self.texts.texts["label"], strict=True)
        }

    def named(self, action: int) -> str:
        """ "A005 drop", or "A005" when there is no label."""
        return f"{action_label(action)} {self.labels.get(action, '')}".rstrip()

    def changed(self) -> Iterator[str]:
        """What the run was scored with and is now another, or gone: the report shows what is there now."""
        recorded = json.loads(self.results["provenance"]["inputs"])
        try:
            now = model_features_and_text(self.context)
        except (DataError, PipelineError) as error:
            yield str(error)
            return
        yield from (f"{name} changed since the run was scored" for name in recorded if now.get(name) != recorded[name])


def read_run(name: str, workspace: Workspace) -> RunData:
    """The run `name` of `workspace`, or the run in the folder `name`. Raises PipelineError or DataError."""
    folder = workspace.run(name)
    if Path(name).name != name:
        folder = RunFolder(Path(name))
        workspace = Workspace(folder.root.resolve().parent.parent)
    if not folder.results.is_file():
        there = sorted(path.parent.name for path in workspace.root.glob("runs/*/results.json"))
        others = f"; finished runs are {', '.join(there)}" if there else ""
        raise PipelineError(
            f"{folder.results}: no such file{others}; `fsvae-pipe evaluate --run {folder.root.name}` makes it"
        )
    read_record(folder.results)
    results: dict[str, Any] = json.loads(folder.results.read_text("utf-8"))
    try:
        results["seeds"][next(iter(results["seeds"]))][results["selection"]]["zsl"]["top1"]
    except (KeyError, TypeError, StopIteration) as error:
        raise DataError(
            f"{folder.results}: not as evaluate writes it ({error!r}); run `fsvae-pipe evaluate --force`"
        ) from error
    return RunData(name, workspace, folder, results)
