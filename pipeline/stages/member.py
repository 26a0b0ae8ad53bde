"""Members on disk. A member is one trained model: one seed in one phase.

While a run trains, each finished member lies in runs/NAME/members/. Training that was interrupted does not train these
members again. In the end, all members become model.safetensors. A member is used again only when its settings (other
than the seeds), its inputs and its kind of device are still the same.
"""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor

from data.errors import DataError, UnavailableFileError
from data.phase_names import PhaseName
from models.fsvae.training import HISTORY_COLUMNS, LossRow, State
from pipeline.workspace.provenance import Provenance
from pipeline.workspace.tensor_store import (
    read_state,
    read_tensor_record,
    require_as_written,
    tensor_name,
    write_tensors,
)


@dataclass(frozen=True)
class TrainedMember:
    """One seed in one phase: its state after every cycle of training, and the logged losses."""

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
    """Return a digest of everything that a member depends on, except its seed and phase; also of the losses' names."""
    settings = {key: value for key, value in provenance.settings.items() if key != "train.seeds"}
    depends_on = [provenance.stage_version, settings, dict(provenance.inputs), device, HISTORY_COLUMNS]
    return hashlib.sha256(json.dumps(depends_on, sort_keys=True).encode()).hexdigest()


def save_member(path: Path, member: TrainedMember, digest: str) -> None:
    """Write `member` to `path`, whole or not at all; `digest` is that of `trained_from`."""
    history = json.dumps(member.history)
    write_tensors(path, member.tensors(), {"digest": digest, "history": history, "seconds": str(member.seconds)})


def load_member(path: Path, seed: int, phase: PhaseName, cycles: int, digest: str) -> TrainedMember | None:
    """Return the member at `path`; None when it is missing, damaged, or was not trained as `digest` says."""
    try:
        require_as_written(path)
        record = read_tensor_record(path)
        if record.get("digest") != digest:
            return None
        states = [read_state(path, seed, phase, cycle) for cycle in range(1, cycles + 1)]
        history: list[LossRow] = json.loads(record["history"])
        seconds = float(record["seconds"])
    except UnavailableFileError:
        raise  # it may be whole
    except (DataError, ValueError, KeyError, TypeError):
        return None
    return TrainedMember(seed, phase, states, history, seconds)
