"""One trained member (one seed in one phase) on disk, so that training that was broken off goes on where it was.

While a run trains, each member that is done lies in runs/NAME/members/; they become model.safetensors together. A
member counts only for training from the same settings (other than the seeds), inputs and kind of device.
"""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors import safe_open
from torch import Tensor

from data.errors import DataError
from models.fsvae.training import HISTORY_COLUMNS, LossRow, State
from pipeline.workspace.folder import PhaseName
from pipeline.workspace.provenance import Provenance
from pipeline.workspace.weights import BROKEN, require_as_written, tensor_name, write_weights


@dataclass(frozen=True)
class TrainedMember:
    """One seed in one phase, and what training it gave: the state after every cycle, and the logged losses."""

    seed: int
    phase: PhaseName
    states: list[State]
    history: list[LossRow]
    seconds: float

    def tensors(self) -> dict[str, Tensor]:
        """All states, named as in model.safetensors."""
        return {
            tensor_name(self.seed, self.phase, cycle, name): tensor
            for cycle, state in enumerate(self.states, start=1)
            for name, tensor in state.items()
        }


def trained_from(provenance: Provenance, device: str) -> str:
    """A digest of all that a member depends on but its seed and phase."""
    settings = {key: value for key, value in provenance.settings.items() if key != "train.seeds"}
    depends_on = [provenance.stage_version, settings, dict(provenance.inputs), device]
    return hashlib.sha256(json.dumps(depends_on, sort_keys=True).encode()).hexdigest()


def save_member(path: Path, member: TrainedMember, digest: str) -> None:
    """Write `member` to `path`, whole or not at all; `digest` is that of `trained_from`."""
    history = json.dumps(member.history)
    write_weights(path, member.tensors(), {"digest": digest, "history": history, "seconds": str(member.seconds)})


def load_member(path: Path, seed: int, phase: PhaseName, cycles: int, digest: str) -> TrainedMember | None:
    """The member at `path`, or None when it is not there, not whole, or trained from something else."""
    try:
        require_as_written(path)
        with safe_open(path, framework="pt") as file:
            record = file.metadata() or {}
            if record.get("digest") != digest:
                return None
            states = [_state(file, tensor_name(seed, phase, cycle, "")) for cycle in range(1, cycles + 1)]
            history: list[LossRow] = json.loads(record["history"])
            if any(tuple(row) != HISTORY_COLUMNS for row in history):
                return None  # trained with other losses
            seconds = float(record["seconds"])
    except (DataError, *BROKEN, KeyError, TypeError):
        return None
    return TrainedMember(seed, phase, states, history, seconds)


def _state(file: Any, prefix: str) -> State:
    names = [name for name in file.keys() if name.startswith(prefix)]  # noqa: SIM118 - no mapping
    return {name.removeprefix(prefix): file.get_tensor(name) for name in names}
