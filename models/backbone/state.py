"""The state of a training after an epoch, and how it is stored: as tensors by name, and as text."""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from torch import Tensor


@dataclass(frozen=True)
class EpochReport:
    """The accuracies of one epoch. `top1`, `top5`, `per_class`: percent of the held-out clips, NaN without any."""

    epoch: int  # from 1
    loss: float  # mean over the training clips
    train_top1: float  # percent, while training
    top1: float
    top5: float
    per_class: tuple[float, ...]  # top-1 by class, in the order of the classes


def best_epoch(reports: Sequence[EpochReport]) -> int:
    """The epoch with the highest held-out top-1, the latest of equals; the last one when nothing is held out."""
    return max(reports, key=lambda report: (-1.0 if math.isnan(report.top1) else report.top1, report.epoch)).epoch


def reports_to_text(reports: Sequence[EpochReport]) -> str:
    """The reports as JSON (NaN as null)."""
    rows = [asdict(report) for report in reports]
    return json.dumps([{key: _map(value, _null) for key, value in row.items()} for row in rows])


def reports_from_text(text: str) -> list[EpochReport]:
    """The reports in a text of `reports_to_text`."""
    return [EpochReport(**{key: _map(value, _nan) for key, value in row.items()}) for row in json.loads(text)]


def _map(value: Any, change: Any) -> Any:
    return tuple(change(part) for part in value) if isinstance(value, list | tuple) else change(value)


def _null(value: float) -> float | None:
    return None if math.isnan(value) else value


def _nan(value: float | None) -> float:
    return math.nan if value is None else value


@dataclass
class TrainingState:
    """All that a training needs to go on after an epoch. The order of clips and the augmentation need no state."""

    weights: dict[str, Tensor] = field(default_factory=dict)
    momentum: dict[str, Tensor] = field(default_factory=dict)
    best: dict[str, Tensor] = field(default_factory=dict)
    reports: list[EpochReport] = field(default_factory=list)
    scaler: dict[str, float] = field(default_factory=dict)  # of fp16

    def tensors(self) -> dict[str, Tensor]:
        """All tensors under one set of names."""
        parts = (("weights", self.weights), ("momentum", self.momentum), ("best", self.best))
        return {f"{part}/{name}": tensor for part, tensors in parts for name, tensor in tensors.items()}

    def metadata(self) -> dict[str, str]:
        """Everything else, as text."""
        return {"reports": reports_to_text(self.reports), "scaler": json.dumps(self.scaler)}

    @classmethod
    def from_saved(cls, tensors: Mapping[str, Tensor], metadata: Mapping[str, str]) -> "TrainingState":
        """The state whose `tensors()` and `metadata()` these are."""
        state = cls(reports=reports_from_text(metadata["reports"]), scaler=json.loads(metadata["scaler"]))
        for name, tensor in tensors.items():
            part, _, rest = name.partition("/")
            getattr(state, part)[rest] = tensor
        return state
