"""Reads a finished run for its report.

Only results.json must exist. Any other file may be missing: imported features have no skeletons, predictions.h5 may
have been deleted. Then a `Missing` with the reason stands for its contents, and the page shows the reason.
"""

import json
import shlex
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

import pandas as pd
from rich.console import Console
from torch import Tensor

from data.errors import DataError
from data.splits import action_label
from data.stores.prediction_store import Predictions, read_predictions
from data.stores.text_store import TextFeatures, read_text_features
from descriptions.errors import DescriptionError
from models.errors import ModelError
from pipeline.messages.errors import PipelineError
from pipeline.stages.inputs import model_features_and_text
from pipeline.stages.result_tables import require_every_rule
from pipeline.workspace.config import Config, build_config
from pipeline.workspace.context import Context
from pipeline.workspace.evaluate_settings import Rule
from pipeline.workspace.folder import RunFolder, Workspace
from pipeline.workspace.provenance import read_record
from pipeline.workspace.tensor_store import read_state, require_as_written

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
class RunData:
    """One finished run: its results, and its other files, each of which is read at its first use."""

    title: str  # what the user named on the command line
    workspace: Workspace
    folder: RunFolder
    results: dict[str, Any]

    @property
    def name(self) -> str:
        """The name of its folder in runs/."""
        return self.folder.root.name

    @property
    def rule(self) -> Rule:
        """The selection rule of the headline."""
        rule: Rule = self.results["selection"]
        return rule

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
        return attempt(lambda: read_predictions(self.folder.predictions, self.seeds, self.rule))

    @cached_property
    def history(self) -> pd.DataFrame | Missing:
        """history.csv: a row for each seed, phase and logged step; a column for each loss of the training."""
        return attempt(self._history)

    def _history(self) -> pd.DataFrame:
        try:
            table = pd.read_csv(self.folder.history)
            numbers = dict.fromkeys(("cycle", "step", "total", *table.columns.drop(["seed", "phase"])), float)
            table = table.astype({"phase": str, **numbers})
        except FileNotFoundError:
            raise DataError(f"{self.folder.history}: no such file") from None
        except (KeyError, ValueError, pd.errors.ParserError) as error:
            raise DataError(f"{self.folder.history}: not as train wrote it ({error})") from error
        if table.empty:
            raise PipelineError(f'the run has no losses: the aligner "{self.config.model.aligner}" logs none')
        return table

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
        """Yield a sentence for each input that changed since the run was scored; the report shows the changed one."""
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
    elsewhere = Path(name).name != name
    folder = RunFolder(Path(name)) if elsewhere else workspace.run(name)
    workspace = Workspace(folder.root.resolve().parent.parent) if elsewhere else workspace
    if not folder.results.is_file():
        finished = sorted(path.parent.name for path in workspace.root.glob("runs/*/results.json"))
        others = f"; finished runs are {', '.join(finished)}" if finished else ""
        where = f"-w {shlex.quote(str(workspace.root))} " if elsewhere else ""
        command = "evaluate" if folder.model.is_file() else "run"  # without a model it is not trained either
        raise PipelineError(
            f"{folder.results}: no such file{others}; "
            f"`fsvae-pipe {where}{command} --run {shlex.quote(folder.root.name)}` makes it"
        )
    read_record(folder.results)
    results: dict[str, Any] = json.loads(folder.results.read_text("utf-8"))
    try:
        results["seeds"][next(iter(results["seeds"]))][results["selection"]]["zsl"]["top1"]
    except (KeyError, TypeError, StopIteration) as error:
        raise DataError(
            f"{folder.results}: not as evaluate writes it ({error!r}); run `fsvae-pipe evaluate --force`"
        ) from error
    require_every_rule(folder, results)
    return RunData(name, workspace, folder, results)


def read_headline_weights(run: RunData, seed: int) -> dict[str, Tensor]:
    """Return the test phase's FS-VAE of `seed`, after the last cycle that the headline's rule took: tensors by name.

    Raises PipelineError when the run's aligner is another one, DataError when model.safetensors is missing or damaged.
    """
    aligner = run.config.model.aligner
    if aligner != "fsvae":
        raise PipelineError(f'the aligner "{aligner}" has no latent space and no frequency module')
    require_as_written(run.folder.model)
    cycle = int(run.results["seeds"][str(seed)][run.rule]["cycle"])
    return read_state(run.folder.model, seed, "test", cycle)
