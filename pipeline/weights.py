"""model.safetensors of a run: the state of every member after every cycle.

Tensors are named seed/PHASE/cycle/NAME, as in "5/test/10/skeleton.encoder.weight"; cycles count from 1. Decoders are
kept after the last cycle only: nothing but training reads them. The metadata is the record of how the file was made,
with the fingerprint of the tensors.
"""

import hashlib
from collections.abc import Mapping
from pathlib import Path

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from data.errors import DataError
from data.files import replacing
from pipeline.workspace import PhaseName


def tensor_name(seed: int, phase: PhaseName, cycle: int, name: str) -> str:
    """The name of one tensor in the file."""
    return f"{seed}/{phase}/{cycle}/{name}"


def write_weights(path: Path, tensors: Mapping[str, Tensor], record: Mapping[str, str]) -> None:
    """Write `tensors` to `path`, whole or not at all."""
    digest = hashlib.sha256()
    for name in sorted(tensors):
        tensor = tensors[name]
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        digest.update(tensor.contiguous().numpy().tobytes())
    with replacing(path) as partial:
        save_file(dict(tensors), partial, metadata={**record, "fingerprint": digest.hexdigest()})


def read_state(path: Path, seed: int, phase: PhaseName, cycle: int) -> dict[str, Tensor]:
    """The state of one member after one cycle. Raises DataError when it is not there or the file is not whole."""
    prefix = tensor_name(seed, phase, cycle, "")
    try:
        with safe_open(path, framework="pt") as file:
            names = [name for name in file.keys() if name.startswith(prefix)]  # noqa: SIM118 - no mapping
            state = {name.removeprefix(prefix): file.get_tensor(name) for name in names}
    except (SafetensorError, OSError) as error:
        raise DataError(f"{path}: not a whole safetensors file ({error}); run `fsvae-pipe train`") from error
    if not state:
        raise DataError(f"{path}: holds no seed {seed}, {phase} phase, cycle {cycle}; run `fsvae-pipe train`")
    return state
