"""A file of tensors by name, with a record of strings (safetensors). No other module opens one.

The record holds the fingerprint of the tensors, by which a reader knows that they are those that were written. Reading
the record alone needs no torch.
"""

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from safetensors import SafetensorError, safe_open

from models.errors import ModelError

if TYPE_CHECKING:
    from torch import Tensor

FINGERPRINT = "fingerprint"  # its key in the record


def write_tensors(path: Path, tensors: Mapping[str, "Tensor"], record: Mapping[str, str]) -> None:
    """Write `tensors` to `path`, with `record` and their fingerprint."""
    from safetensors.torch import save_file

    save_file(dict(tensors), path, {**record, FINGERPRINT: fingerprint(tensors)})


def read_record(path: Path) -> dict[str, str]:
    """The record of the file at `path`, empty where it has none. Raises ModelError when the file is not whole."""
    with _open(path, "numpy") as file:
        return dict(file.metadata() or {})


def read_tensors(path: Path, prefix: str = "") -> dict[str, "Tensor"]:
    """The tensors whose names begin with `prefix`, by the rest of their names.

    Raises ModelError when the file is not whole.
    """
    with _open(path, "pt") as file:
        names = [name for name in file.keys() if name.startswith(prefix)]  # noqa: SIM118 - no mapping
        return {name.removeprefix(prefix): file.get_tensor(name) for name in names}


def is_as_written(path: Path) -> bool:
    """Whether the tensors at `path` are those that its fingerprint was taken of; they are read one after another.

    Raises ModelError when the file is not whole.
    """
    with _open(path, "pt") as file:
        found = _digest((name, file.get_tensor(name)) for name in sorted(file.keys()))
        return found == (file.metadata() or {}).get(FINGERPRINT)


def fingerprint(tensors: Mapping[str, "Tensor"]) -> str:
    """SHA-256 of every tensor's name, dtype, shape and contents, in the order of the names."""
    return _digest((name, tensors[name]) for name in sorted(tensors))


def _digest(tensors: Iterable[tuple[str, "Tensor"]]) -> str:
    digest = hashlib.sha256()
    for name, tensor in tensors:
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        digest.update(tensor.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()


@contextmanager
def _open(path: Path, framework: str) -> Iterator[Any]:
    try:
        with safe_open(path, framework=framework) as file:
            yield file
    except (SafetensorError, OSError, ValueError) as error:  # what safetensors raises about a damaged file
        raise ModelError(f"{path}: not a whole safetensors file ({error})") from error
