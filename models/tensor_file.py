"""Writes and reads safetensors files: tensors by name, and a record of strings. No other module opens one.

The record holds the fingerprint of the tensors. A reader compares it with the tensors to find damage. `read_record`
does not import torch. An OSError everywhere means that the system could not read the file, which may be whole.
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
    """Return the record of the file at `path`, empty if it has none. Raises ModelError when the file is damaged."""
    with _open(path, "numpy") as file:
        return dict(file.metadata() or {})


def read_tensors(path: Path, prefix: str = "") -> dict[str, "Tensor"]:
    """Return the tensors whose names begin with `prefix`, by the rest of their names.

    Raises ModelError when the file is damaged.
    """
    with _open(path, "pt") as file:
        names = [name for name in file.keys() if name.startswith(prefix)]  # noqa: SIM118 - no mapping
        return {name.removeprefix(prefix): file.get_tensor(name) for name in names}


def number_types(path: Path) -> dict[str, str]:
    """Return the type of each tensor by name, as "F32" or "I64". Raises ModelError when the file is damaged."""
    with _open(path, "numpy") as file:
        return {name: file.get_slice(name).get_dtype() for name in sorted(file.keys())}


def is_as_written(path: Path) -> bool:
    """Return whether the tensors at `path` have the fingerprint in its record. Holds one tensor in memory at a time.

    Raises ModelError when the file is damaged.
    """
    with _open(path, "pt") as file:
        now = _digest((name, file.get_tensor(name)) for name in sorted(file.keys()))
        return now == (file.metadata() or {}).get(FINGERPRINT)


def fingerprint(tensors: Mapping[str, "Tensor"]) -> str:
    """Return the SHA-256 of the name, dtype, shape and contents of every tensor, in the order of the names."""
    return _digest((name, tensors[name]) for name in sorted(tensors))


def _digest(tensors: Iterable[tuple[str, "Tensor"]]) -> str:
    digest = hashlib.sha256()
    for name, tensor in tensors:
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        digest.update(tensor.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()


@contextmanager
def _open(path: Path, framework: str) -> Iterator[Any]:
    with Path(path).open("rb") as content:
        content.read(1)  # safetensors says of every file that the system refuses to open that there is none
    try:
        with safe_open(path, framework=framework) as file:
            yield file
    except (SafetensorError, OSError, ValueError) as error:  # what safetensors raises about a damaged file
        raise ModelError(f"{path}: not a whole safetensors file ({error})") from error
