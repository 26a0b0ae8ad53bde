"""Reads a pickle that holds dicts, lists, numbers, text and NumPy arrays of numbers, without unpickling it.

A pickle is a program. data/formats/label_pickle.py carries out the few instructions that build lists and text, and
refuses all others. This module adds dicts, and what pickled arrays need: NumPy's functions for making one are known by
their names and never called; the array is made from its shape, type and bytes.

Long pieces of bytes are not kept but where they stand in the file, so that a file of a whole data set takes little
memory: `ArrayInFile.load` reads one array.
"""

import math
import warnings
from dataclasses import dataclass
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from data.errors import RawFileError
from data.formats.bounded import BoundedReads
from data.formats.label_pickle import PickleMachine, RefusedInstructionError

MAX_PIECE_BYTES = 1 << 27  # of one array, text or number
KEPT_BYTES = 256
HEAD_BYTES = {  # an instruction and the length of what follows
    "SHORT_BINBYTES": 2, "BINBYTES": 5, "BINBYTES8": 9, "BYTEARRAY8": 9, "SHORT_BINSTRING": 2, "BINSTRING": 5,
    "SHORT_BINUNICODE": 2, "BINUNICODE": 5, "BINUNICODE8": 9,
}  # fmt: skip
CONSTANTS = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False}
NUMPY = ("numpy.core", "numpy._core")
FUNCTIONS = {
    **{f"{module}.multiarray _reconstruct": "array" for module in NUMPY},
    **{f"{module}.multiarray scalar": "scalar" for module in NUMPY},
    **{f"{module}.numeric _frombuffer": "buffer" for module in NUMPY},
    "numpy ndarray": "ndarray",
    "numpy dtype": "dtype",
    "_codecs encode": "encode",
}
NUMBER_KINDS = "biuf"


@dataclass(frozen=True, slots=True)
class _Piece:
    """Bytes that stand in the file."""

    start: int
    size: int
    as_text: bool  # as UTF-8 of the characters 0 to 255, which pickles of protocol 2 use


@dataclass(slots=True)
class _Dtype:
    code: str
    order: str = "="


@dataclass(frozen=True, slots=True)
class _Function:
    name: str


@dataclass(slots=True)
class ArrayInFile:
    """A pickled array: its shape and type, and where its numbers are."""

    shape: tuple[int, ...] = ()
    dtype: _Dtype | None = None
    fortran_order: bool = False
    content: Any = None  # bytes, text, a _Piece, or the list of an array of objects

    def load(self, stream: BinaryIO, source: str) -> NDArray[Any]:
        """Returns its numbers. Raises RawFileError when they are no numbers, or not as many as its shape has."""
        dtype = self._dtype(source)
        content = self.content
        if isinstance(content, _Piece):
            stream.seek(content.start)
            content = stream.read(min(content.size, MAX_PIECE_BYTES))
            content = content.decode("utf-8", "replace") if self.content.as_text else content
        if isinstance(content, str):
            content = content.encode("latin-1", "replace")
        if not isinstance(content, bytes) or len(content) != math.prod(self.shape) * dtype.itemsize:
            raise RawFileError(source, f"an array of shape {self.shape} does not have as many numbers; it is damaged")
        return np.frombuffer(content, dtype).reshape(self.shape, order="F" if self.fortran_order else "C")

    def _dtype(self, source: str) -> np.dtype[Any]:
        code = self.dtype.code if self.dtype else ""
        try:
            dtype = np.dtype(code).newbyteorder(self.dtype.order)  # type: ignore[arg-type, union-attr]
        except (TypeError, ValueError, AttributeError):
            dtype = np.dtype(object)
        if len(code) > 3 or dtype.kind not in NUMBER_KINDS:
            raise RawFileError(source, f'an array holds "{code[:20]}"; numbers were expected')
        return dtype


def read_array_pickle(stream: BinaryIO, source: str) -> Any:
    """Returns what a pickle at the place of `stream` holds, arrays as ArrayInFile.

    Raises RawFileError when it is broken, or holds an instruction or a name that data does not need.
    """
    try:
        with warnings.catch_warnings(action="ignore"):  # Python warns about odd escapes in texts
            return _ArrayMachine(BoundedReads(stream, MAX_PIECE_BYTES)).run()
    except RefusedInstructionError as error:
        reason = f"{error}, which is refused; plain dicts, lists, text and arrays of numbers are read"
        raise RawFileError(source, reason) from None
    except (ValueError, IndexError, KeyError, UnicodeError, OverflowError) as error:
        raise RawFileError(source, f"cut short, or not a pickle ({str(error)[:100]})") from error


class _ArrayMachine(PickleMachine):
    def __init__(self, stream: BoundedReads) -> None:
        super().__init__()
        self._stream = stream

    def run(self) -> Any:  # type: ignore[override]
        return super().run(self._stream)  # type: ignore[arg-type]

    def _step(self, name: str, argument: Any, position: int) -> None:
        if name in HEAD_BYTES:
            self._stack.append(self._kept(name, argument, position))
        elif name in ("UNICODE", "STRING") and len(argument) > KEPT_BYTES:
            raise RefusedInstructionError(
                "is of protocol 0, which spells arrays out as text (write it with protocol 4)"
            )
        elif name in CONSTANTS:
            self._stack.append(CONSTANTS[name])
        elif name in ("BINFLOAT", "FLOAT"):
            self._stack.append(argument)
        elif name in ("EMPTY_DICT", "DICT"):
            self._stack.append(_dict(self._since_mark()) if name == "DICT" else {})
        elif name in ("SETITEM", "SETITEMS"):
            items = self._since_mark() if name == "SETITEMS" else [self._stack.pop(-2), self._stack.pop()]
            if not isinstance(self._stack[-1], dict):
                raise RefusedInstructionError("sets items of an object that is not a dict")
            self._stack[-1].update(_dict(items))
        elif name in ("GLOBAL", "STACK_GLOBAL"):
            if name == "STACK_GLOBAL":
                argument = " ".join(map(str, [self._stack.pop(-2), self._stack.pop()]))
            if argument not in FUNCTIONS:
                raise RefusedInstructionError(f"names {argument[:60]}")
            self._stack.append(_Function(FUNCTIONS[argument]))
        elif name == "REDUCE":
            arguments = self._stack.pop()
            self._stack.append(_made(self._stack.pop(), arguments))
        elif name == "BUILD":
            state = self._stack.pop()
            _fill(self._stack[-1], state)
        else:
            super()._step(name, argument, position)

    def _kept(self, name: str, argument: Any, position: int) -> Any:
        """Returns what stands for the bytes or text of an instruction: itself when it is short."""
        if len(argument) <= KEPT_BYTES:
            return bytes(argument) if isinstance(argument, bytearray) else argument
        start = position + HEAD_BYTES[name]
        return _Piece(start, self._stream.tell() - start, "UNICODE" in name)


def _dict(items: list[Any]) -> dict[Any, Any]:
    keys, values = items[::2], items[1::2]
    if len(keys) != len(values) or not all(isinstance(key, str | int) for key in keys):
        raise RefusedInstructionError("has a dict whose keys are not text or whole numbers")
    return dict(zip(keys, values, strict=True))


def _made(function: Any, arguments: Any) -> Any:
    """Returns what a function that a pickle names would make of its arguments."""
    match function, arguments:
        case _Function("array"), (_Function("ndarray"), *_):
            return ArrayInFile()
        case _Function("dtype"), (str(code), *_):
            return _Dtype(code)
        case _Function("encode"), (str() | _Piece() as text, "latin1" | "latin-1"):
            return text
        case _Function("encode"), (str(text),) if not text:
            return text
        case _Function("buffer"), (content, _Dtype() as dtype, tuple(shape), str(order)) if _is_shape(shape):
            return ArrayInFile(shape, dtype, order == "F", content)
        case _Function("scalar"), (_Dtype() as dtype, bytes() | str() as content):
            return ArrayInFile((), dtype, False, content)
    raise RefusedInstructionError("calls a function with other values than arrays need")


def _fill(target: Any, state: Any) -> None:
    match target, state:
        case ArrayInFile(), (_, tuple(shape), _Dtype() as dtype, bool() | int() as fortran_order, content) if _is_shape(
            shape
        ):
            target.shape, target.dtype, target.fortran_order, target.content = (
                shape,
                dtype,
                bool(fortran_order),
                content,
            )
        case _Dtype(), (_, str(order), *_) if order in ("<", ">", "|", "="):
            target.order = order
        case _:
            raise RefusedInstructionError("gives attributes to an object that is no array")


def _is_shape(shape: tuple[Any, ...]) -> bool:
    return len(shape) <= 8 and all(type(size) is int and 0 <= size < 1 << 40 for size in shape)
