"""Reads a finished run for its report.

Only results.json must exist. Any other file may be missing: imported features have no skeletons, predictions.h5 may
have been deleted. In place of its contents then stands a `Missing` with the reason, which the page shows.
Letters: N test clips, S seen actions, U unseen actions.
"""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, TypeVar

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from rich.console import Console
from torch import Tensor

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
from pipeline.workspace.weights import read_state, require_as_written

Task = Literal["ZSL", "GZSL"]  # unseen clips among unseen actions; all clips among all actions
Piece = TypeVar("Piece")


@dataclass(frozen=True)
class Missing:
    """Stands for a piece of the report that can't be made, and says why."""

    reason: str


def attempt(read: Callable[[], Piece]) -> Piece | Missing:
    """Return what `read` returns, or a `Missing` with the message of its error."""
    try:
        return read()
    except (DataError, DescriptionError, ModelError, PipelineError, OSError) as error:
        return Missing(str(error))


@dataclass(frozen=True)
class SeedPredictions:
    """The predictions of one seed, after the cycle that the headline's rule took."""

    seed: int
    cycle: int
    unseen_probabilities: NDArray[np.float32]  # (N, U)
    gate: NDArray[np.float32]  # (N,), probability of unseen
    zsl_action: NDArray[np.int64]  # (N,)
    gzsl_action: NDArray[np.int64]  # (N,), with the fitted gate

    def predicted(self, task: Task) -> NDArray[np.int64]:
        """The action that each clip is given in `task`, (N,)."""
        return self.zsl_action if task == "ZSL" else self.gzsl_action


@dataclass(frozen=True)
class Predictions:
    """predictions.h5: every test clip's actual action and its predictions under the headline's rule."""

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

    def scored_clips(self, task: Task) -> NDArray[np.bool_]:
        """Which clips are scored in `task`, (N,): in ZSL those of unseen actions, in GZSL all."""
        return self.is_unseen if task == "ZSL" else np.ones(len(self.name), dtype=bool)

    @property
    def seen_action(self) -> NDArray[np.int64]:
        """The seen action with the backbone's highest logit, (N,)."""
        return np.asarray(self.seen_actions[self.seen_logits.argmax(axis=1)])

    def seen_probabilities(self, temperature: float) -> NDArray[np.float64]:
        """The backbone's softmax over the seen actions, (N, S)."""
        return softmax(self.seen_logits, temperature)


@dataclass(frozen=True)
class RunData:
    """One finished run: its results, and its other files, which are read when they are first asked for."""

    title: str  # what the user named on the command line
    workspace: Workspace
    folder: RunFolder
    results: dict[str, Any]

    @property
    def name(self) -> str:
        """The name of its folder in runs/."""
        return self.folder.root.name

    @property
    def rule(self) -> str:
        """The selection rule of the headline: val, last or oracle."""
        return str(self.results["selection"])

    @property
    def seeds(self) -> tuple[int, ...]:
        """The seeds in the order in which they were trained."""
        return tuple(int(seed) for seed in self.results["seeds"])

    @cached_property
    def config(self) -> Config:
        """The settings that the run was trained and scored with. Raises ConfigError when one is unknown here."""
        return build_config(self.results["config"], str(self.folder.results))

    @cached_property
    def context(self) -> Context:
        """A context of the run's own settings, for functions that read a workspace through one."""
        return Context(self.workspace, self.config, self.folder.config, Console(stderr=True), self.name)

    @cached_property
    def predictions(self) -> Predictions | Missing:
        """predictions.h5 of the run."""
        return attempt(self._predictions)

    def _predictions(self) -> Predictions:
        with h5.reading(self.folder.predictions) as file:
            seeds = []
            for seed in self.seeds:
                group = f"{seed}/{self.rule}"
                columns = [
                    h5.read_array(file, f"{group}/{name}")
                    for name in ("unseen_probabilities", "gate", "zsl_action", "gzsl_action")
                ]
                seeds.append(SeedPredictions(seed, int(h5.read_attribute(file, group, "cycle")), *columns))
            action, seen, unseen, logits = (
                h5.read_array(file, name) for name in ("action", "seen_actions", "unseen_actions", "seen_logits")
            )
            name = h5.read_strings(file, "name")
            h5.require_as_written(file)
            return Predictions(name, action, seen, unseen, logits, tuple(seeds))

    @cached_property
    def history(self) -> pd.DataFrame | Missing:
        """history.csv: losses, one row a seed, phase and logged step."""
        return attempt(self._history)

    def _history(self) -> pd.DataFrame:
        from models.fsvae.training import LossRow

        try:
            columns = {field.name: float for field in fields(LossRow)}
            return pd.read_csv(self.folder.history).astype({"phase": str, **columns})
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
        """Action -> label; empty when text.h5 holds no labels."""
        if isinstance(self.texts, Missing) or "label" not in self.texts.texts:
            return {}
        return {
            int(action): str(label) for action, label in zip(self.texts.action, self.texts.texts["label"], strict=True)
        }

    def named(self, action: int) -> str:
        """The action's code and label, as in "A005 drop"; the code alone when there is no label."""
        return f"{action_label(action)} {self.labels.get(action, '')}".rstrip()

    def changed(self) -> Iterator[str]:
        """Yield a sentence for each input that has changed since the run was scored; the report shows the new ones."""
        recorded = json.loads(self.results["provenance"]["inputs"])
        try:
            now = model_features_and_text(self.context)
        except (DataError, PipelineError) as error:
            yield str(error)
            return
        yield from (f"{name} changed since the run was scored" for name in recorded if now.get(name) != recorded[name])


def read_run(name: str, workspace: Workspace) -> RunData:
    """Read the run `name` of `workspace`, or the run in the folder `name` when that is a path.

    Raises PipelineError when it has no results.json, DataError when that file is damaged.
    """
    folder = workspace.run(name)
    if Path(name).name != name:
        folder = RunFolder(Path(name))
        workspace = Workspace(folder.root.resolve().parent.parent)
    if not folder.results.is_file():
        finished = sorted(path.parent.name for path in workspace.root.glob("runs/*/results.json"))
        others = f"; finished runs are {', '.join(finished)}" if finished else ""
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


def read_headline_weights(run: RunData, seed: int) -> dict[str, Tensor]:
    """The test phase's model of `seed`, after the cycle that the headline's rule took: tensors by their names.

    Raises DataError when model.safetensors is missing or damaged.
    """
    require_as_written(run.folder.model)
    cycle = int(run.results["seeds"][str(seed)][run.rule]["cycle"])
    return read_state(run.folder.model, seed, "test", cycle)
