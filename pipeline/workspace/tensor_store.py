"""Writes and reads the .safetensors files of a workspace, each with the record of how it was made.

In model.safetensors of a run, a tensor is named SEED/PHASE/CYCLE/NAME, as in "5/test/10/skeleton.encoder.weight".
Cycles count from 1.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from data.errors import DataError
from data.phase_names import PhaseName
from data.stores.files import ADVICE, replacing, require_readable, sealed
from models import tensor_file
from models.errors import ModelError
from models.whole_state import not_finite, some

if TYPE_CHECKING:
    from torch import Tensor


def write_tensors(path: Path, tensors: Mapping[str, "Tensor"], record: Mapping[str, str]) -> None:
    """Write `tensors` and `record` to `path`, whole or not at all."""
    with replacing(path) as partial:
        tensor_file.write_tensors(partial, tensors, sealed(record))


def read_tensor_record(path: Path) -> dict[str, str]:
    """Return the record of the file at `path`, without importing torch. Raises DataError when the file is damaged."""
    with _advised(path):
        return tensor_file.read_record(path)


def read_tensors(path: Path, prefix: str = "") -> dict[str, "Tensor"]:
    """Return the tensors whose names begin with `prefix`, by the rest of their names.

    Raises DataError when the file is damaged.
    """
    with _advised(path):
        return tensor_file.read_tensors(path, prefix)


def require_as_written(path: Path) -> None:
    """Raise DataError when the file at `path` is damaged, or its tensors do not have its fingerprint."""
    with _advised(path):
        as_written = tensor_file.is_as_written(path)
    if not as_written:
        raise DataError(f"{path}: its contents are not those that were written, so that it is damaged; {ADVICE}")


def tensor_name(seed: int, phase: PhaseName, cycle: int, name: str) -> str:
    """Return the name of a tensor in model.safetensors."""
    return f"{seed}/{phase}/{cycle}/{name}"


def read_state(path: Path, seed: int, phase: PhaseName, cycle: int) -> dict[str, "Tensor"]:
    """Return the state of one member after one cycle.

    Raises DataError when the file lacks it or is damaged, or when a tensor holds NaN or infinite numbers.
    """
    state = read_tensors(path, tensor_name(seed, phase, cycle, ""))
    if not state:
        raise DataError(f"{path}: holds no seed {seed}, {phase} phase, cycle {cycle}; run `fsvae-pipe train`")
    if bad := not_finite(state):
        raise DataError(
            f"{path}: seed {seed}, {phase} phase, cycle {cycle}: NaN or infinite numbers in {some(bad)}; training "
            "diverged: lower train.learning_rate, then run `fsvae-pipe train --force`"
        )
    return state


@contextmanager
def _advised(path: Path) -> Iterator[None]:
    """Add to the error of a damaged file what the user can do about it. One that can't be read now may be whole."""
    try:
        yield
    except OSError as error:
        require_readable(path, error)
        raise DataError(f"{path}: can't be read ({error.strerror or error})") from error
    except ModelError as error:
        raise DataError(f"{error}; {ADVICE}") from error
