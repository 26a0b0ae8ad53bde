"""Reads the arrays of numbers in a MATLAB file of version 5 (`save -v6` or `-v7`).

What is packed is unpacked here first, because SciPy unpacks as much as a file claims. Other kinds of variables (text,
structs, cells) are left out, so that SciPy builds no object that a file describes.
"""

import io
import struct
import warnings
import zlib
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from data.errors import RawFileError

MAT_HEADER_BYTES = 128
MAX_BYTES = 1 << 26  # of a file, and of what it holds unpacked
COMPRESSED, MATRIX = 15, 14
NUMBERS = ("double", "single", "int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64")
SAVE_AGAIN = "save it again in MATLAB with save(name, '-v7')"


def is_mat(head: bytes, source: str) -> bool:
    """Whether a file that begins with `head` is a MATLAB file. Raises RawFileError for versions that are not read."""
    if head.startswith(b"MATLAB 7.3") or head.startswith(b"\x89HDF"):
        raise RawFileError(source, f"a MATLAB file of version 7.3; {SAVE_AGAIN}")
    return head[126:128] in (b"IM", b"MI") and len(head) >= MAT_HEADER_BYTES


def read_mat(stream: BinaryIO, source: str) -> dict[str, NDArray[Any]]:
    """Returns the arrays of numbers by their names. Raises RawFileError when the file is broken or too large."""
    from scipy.io import loadmat, whosmat

    content = stream.read(MAX_BYTES + 1)
    if len(content) > MAX_BYTES:
        raise RawFileError(source, f"more than {MAX_BYTES} bytes; divide the recording")
    plain = _unpacked(content, source)
    try:
        with warnings.catch_warnings(action="ignore"):  # SciPy warns about names that stand twice
            listed = whosmat(io.BytesIO(plain))
            names = [
                name for name, shape, kind in listed if kind in NUMBERS and np.prod(shape, dtype=float) < MAX_BYTES
            ]
            loaded = loadmat(io.BytesIO(plain), variable_names=names) if names else {}
    except Exception as error:  # a damaged file makes SciPy raise errors of many kinds
        raise RawFileError(source, f"not a whole MATLAB file ({str(error)[:100]}); {SAVE_AGAIN}") from error
    return {name: loaded[name] for name in names if isinstance(loaded.get(name), np.ndarray) and _real(loaded[name])}


def _real(array: NDArray[Any]) -> bool:
    return array.dtype.kind in "biuf"


def _unpacked(content: bytes, source: str) -> bytes:
    """Returns the file with its packed elements unpacked. Raises RawFileError when an element is broken."""
    order = "<" if content[126:128] == b"IM" else ">"
    parts, place, room = [content[:MAT_HEADER_BYTES]], MAT_HEADER_BYTES, MAX_BYTES
    while place < len(content):
        head = content[place : place + 8]
        if len(head) < 8:
            raise RawFileError(source, "ends within a variable; the file is cut")
        kind, size = struct.unpack(f"{order}II", head)
        body = content[place + 8 : place + 8 + size]
        if len(body) < size or kind not in (COMPRESSED, MATRIX):
            raise RawFileError(source, "its variables do not follow each other; the file is cut or damaged")
        if kind == COMPRESSED:
            try:
                element = zlib.decompressobj().decompress(body, room)
            except zlib.error as error:
                raise RawFileError(source, f"a variable can't be unpacked ({error}); the file is damaged") from error
        else:
            element = head + body
        room -= len(element)
        if room <= 0:
            raise RawFileError(source, f"takes more than {MAX_BYTES} bytes unpacked; divide the recording")
        parts.append(element)
        place += 8 + size
    return b"".join(parts)
