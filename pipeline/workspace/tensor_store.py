"""Tensors of a workspace on disk: whole or not at all, with the record of how they were made.

In model.safetensors of a run, tensors are named seed/PHASE/cycle/NAME, as in "5/test/10/skeleton.encoder.weight";
cycles count from 1. Decoders are kept after the last cycle only: nothing but training reads them.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from data.errors import DataError
from data.phase_names import PhaseName
from data.stores.files import ADVICE, replacing, sealed
from models import tensor_file
from models.errors import ModelError

if TYPE_CHECKING:
    from torch import Tensor


def write_tensors(path: Path, tensors: Mapping[str, "Tensor"], record: Mapping[str, str]) -> None:
    """Write `tensors` and `record` to `path`, whole or not at all."""
    with replacing(path) as partial:
        tensor_file.write_tensors(partial, tensors, sealed(record))


def read_tensor_record(path: Path) -> dict[str, str]:
    """The record of the tensors at `path`; torch is not imported. Raises DataError when the file is not whole."""
    with _advised():
        return tensor_file.read_record(path)


def read_tensors(path: Path, prefix: str = "") -> dict[str, "Tensor"]:
    """The tensors whose names begin with `prefix`, by the rest of their names. Raises DataError as above."""
    with _advised():
        return tensor_file.read_tensors(path, prefix)


def require_as_written(path: Path) -> None:
    """Raise DataError when the tensors at `path` are not those that its fingerprint was taken of, or not whole."""
    with _advised():
        as_written = tensor_file.is_as_written(path)
    if not as_written:
        raise DataError(f"{path}: its contents are not those that were written, so that it is damaged; {ADVICE}")


def tensor_name(seed: int, phase: PhaseName, cycle: int, name: str) -> str:
    """The name of one tensor in model.safetensors."""
    return f"{seed}/{phase}/{cycle}/{name}"


def read_state(path: Path, seed: int, phase: PhaseName, cycle: int) -> dict[str, "Tensor"]:
    """The state of one member after one cycle. Raises DataError when it is not there or the file is not whole."""
    state = read_tensors(path, tensor_name(seed, phase, cycle, ""))
    if not state:
        raise DataError(f"{path}: holds no seed {seed}, {phase} phase, cycle {cycle}; run `fsvae-pipe train`")
    return state


@contextmanager
def _advised() -> Iterator[None]:
    """Says of a file that is not whole what to do about it."""
    try:
        yield
    except ModelError as error:
        raise DataError(f"{error}; {ADVICE}") from error
