"""model.safetensors of a run: the state of every member after every cycle.

Tensors are named seed/PHASE/cycle/NAME, as in "5/test/10/skeleton.encoder.weight"; cycles count from 1. Decoders are
kept after the last cycle only: nothing but training reads them. The metadata is the record of how the file was made,
with the fingerprint of the tensors.
"""

import hashlib
from collections.abc import Iterable, Mapping
from pathlib import Path

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from data.errors import DataError
from data.stores.files import ADVICE, replacing, sealed
from pipeline.workspace.folder import PhaseName

BROKEN = (SafetensorError, OSError, ValueError)  # what safetensors raises about a damaged file


def tensor_name(seed: int, phase: PhaseName, cycle: int, name: str) -> str:
    """The name of one tensor in the file."""
    return f"{seed}/{phase}/{cycle}/{name}"


def write_weights(path: Path, tensors: Mapping[str, Tensor], record: Mapping[str, str]) -> None:
    """Write `tensors` to `path`, whole or not at all."""
    fingerprint = _fingerprint((name, tensors[name]) for name in sorted(tensors))
    with replacing(path) as partial:
        save_file(dict(tensors), partial, metadata={**sealed(record), "fingerprint": fingerprint})


def _fingerprint(tensors: Iterable[tuple[str, Tensor]]) -> str:
    """SHA-256 of every tensor's name, dtype, shape and contents."""
    digest = hashlib.sha256()
    for name, tensor in tensors:
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        digest.update(tensor.cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()


def require_as_written(path: Path) -> None:
    """Raise DataError when the tensors in `path` are not those that its fingerprint was taken of, or not whole."""
    try:
        with safe_open(path, framework="pt") as file:
            found = _fingerprint((name, file.get_tensor(name)) for name in sorted(file.keys()))
            wanted = (file.metadata() or {}).get("fingerprint")
    except BROKEN as error:
        raise DataError(f"{path}: not a whole safetensors file ({error}); {ADVICE}") from error
    if found != wanted:
        raise DataError(f"{path}: its contents are not those that were written, so that it is damaged; {ADVICE}")


def read_state(path: Path, seed: int, phase: PhaseName, cycle: int) -> dict[str, Tensor]:
    """The state of one member after one cycle. Raises DataError when it is not there or the file is not whole."""
    prefix = tensor_name(seed, phase, cycle, "")
    try:
        with safe_open(path, framework="pt") as file:
            names = [name for name in file.keys() if name.startswith(prefix)]  # noqa: SIM118 - no mapping
            state = {name.removeprefix(prefix): file.get_tensor(name) for name in names}
    except BROKEN as error:
        raise DataError(f"{path}: not a whole safetensors file ({error}); {ADVICE}") from error
    if not state:
        raise DataError(f"{path}: holds no seed {seed}, {phase} phase, cycle {cycle}; run `fsvae-pipe train`")
    return state
