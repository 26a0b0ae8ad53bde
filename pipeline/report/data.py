"""What a report reads of a finished run: results.json, and as much of the rest as is there.

results.json must be there. Every other piece may be missing (imported features have no skeletons, predictions.h5 may
have been deleted): then a `Missing` with the reason stands in its place, and the page says it.
"""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

import pandas as pd
from rich.console import Console

from data.errors import DataError
from data.splits import action_label
from data.stores.prediction_store import Predictions, read_predictions
from data.stores.text_store import TextFeatures, read_text_features
from descriptions.errors import DescriptionError
from models.errors import ModelError
from pipeline.messages.errors import PipelineError
from pipeline.stages.inputs import model_features_and_text
from pipeline.workspace.config import Config, build_config
from pipeline.workspace.context import Context
from pipeline.workspace.evaluate_settings import Rule
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
    def rule(self) -> Rule:
        """The selection rule of the headline."""
        rule: Rule = self.results["selection"]
        return rule

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
        return attempt(lambda: read_predictions(self.folder.predictions, self.seeds, self.rule))

    @cached_property
    def history(self) -> pd.DataFrame | Missing:
        """history.csv: losses, one row a seed, phase and logged step."""
        return attempt(self._history)

    def _history(self) -> pd.DataFrame:
        from models.fsvae.training import LossRow

        if self.config.model.aligner == "ridge":
            raise PipelineError('the run has no losses: the aligner "ridge" is solved, not trained')
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
