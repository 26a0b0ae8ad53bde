"""Reads the names and labels in a *_label.pkl without unpickling it.

A pickle is a program: whoever wrote it decides what unpickling calls. These files hold (list of sample names, list of
class indices), which takes about a dozen instructions that build lists, tuples, strings and integers. `pickletools`
decodes the instructions. This module carries out these and refuses all others, so nothing is imported, called or given
attributes. NumPy arrays in a pickle need imports, so they are refused.

Why not a `pickle.Unpickler` that refuses imports: a pickle of 9 bytes makes it take 2 GB of memory. Here every
instruction makes at most one object, no longer than its part of the file, so the file bounds the memory.
"""

import io
import pickletools
from pathlib import Path
from typing import Any, BinaryIO

from data.errors import DataError

MAX_BYTES = 1 << 26
VALUES = {
    "UNICODE", "SHORT_BINUNICODE", "BINUNICODE", "BINUNICODE8", "STRING", "SHORT_BINSTRING", "BINSTRING",
    "INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1", "LONG4",
}  # fmt: skip
REMEMBER = {"PUT", "BINPUT", "LONG_BINPUT"}
RECALL = {"GET", "BINGET", "LONG_BINGET"}
TUPLES = {"TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}
EXPECTED = "expected a pickled pair (list of sample names, list of class indices from 0)"


class RefusedInstructionError(Exception):
    """An instruction is not allowed, or does not fit the stack."""


def read_label_pickle(path: Path) -> tuple[list[str], list[int]]:
    """Returns equally many sample names and class indices (from 0). Raises DataError for a file with other contents."""
    if not path.is_file():
        raise DataError(f"{path}: no such file; {EXPECTED}")
    if path.stat().st_size > MAX_BYTES:
        raise DataError(f"{path}: {path.stat().st_size} bytes are too many; {EXPECTED}")
    try:
        pair = PickleMachine().run(io.BytesIO(path.read_bytes()))
    except RefusedInstructionError as error:
        raise DataError(f"{path}: {error}, which is refused; {EXPECTED} of plain Python lists, not arrays") from None
    except (ValueError, IndexError, KeyError, UnicodeError) as error:
        raise DataError(f"{path}: cut short, or not a pickle ({error}); {EXPECTED}") from error
    names, labels = pair if isinstance(pair, list | tuple) and len(pair) == 2 else (None, None)
    if not (isinstance(names, list | tuple) and isinstance(labels, list | tuple)):
        raise DataError(f"{path}: does not hold a pair of lists; {EXPECTED}")
    if not all(isinstance(name, str) for name in names) or not all(isinstance(label, int) for label in labels):
        raise DataError(f"{path}: its names are not all strings, or its labels not all integers; {EXPECTED}")
    if len(names) != len(labels):
        raise DataError(f"{path}: has {len(names)} names, but {len(labels)} labels; {EXPECTED}")
    return list(names), list(labels)


class PickleMachine:
    """The parts of a pickle machine that these files need: a stack, its marks and a memo."""

    def __init__(self) -> None:
        self._stack: list[Any] = []
        self._marks: list[int] = []
        self._memo: dict[int, Any] = {}

    def run(self, stream: BinaryIO) -> Any:
        """Carries out the instructions in `stream` and returns the resulting object.

        Raises RefusedInstructionError, or ValueError, IndexError, KeyError or UnicodeError when the pickle is broken.
        """
        for instruction, argument, position in pickletools.genops(stream):
            if instruction.name == "STOP":
                return self._stack.pop()
            self._step(instruction.name, argument, position or 0)
        raise ValueError("it has no end")

    def _step(self, name: str, argument: Any, position: int) -> None:
        """Carries out one instruction, which stands at `position` in the stream."""
        if name in ("PROTO", "FRAME"):
            return
        if name in VALUES:
            self._stack.append(argument)
        elif name in RECALL:
            self._stack.append(self._memo[int(argument)])
        elif name in REMEMBER:
            self._memo[int(argument)] = self._stack[-1]
        elif name == "MEMOIZE":
            self._memo[len(self._memo)] = self._stack[-1]
        elif name == "MARK":
            self._marks.append(len(self._stack))
        elif name in ("EMPTY_LIST", "EMPTY_TUPLE"):
            self._stack.append([] if name == "EMPTY_LIST" else ())
        elif name in ("LIST", "TUPLE"):
            items = self._since_mark()
            self._stack.append(items if name == "LIST" else tuple(items))
        elif name in TUPLES:
            items = self._stack[len(self._stack) - TUPLES[name] :]
            del self._stack[len(self._stack) - TUPLES[name] :]
            self._stack.append(tuple(items))
        elif name in ("APPEND", "APPENDS"):
            items = self._since_mark() if name == "APPENDS" else [self._stack.pop()]
            self._list().extend(items)
        else:
            shown = "" if argument is None else f" ({str(argument)[:60]})"
            raise RefusedInstructionError(f"holds the instruction {name}{shown}")

    def _since_mark(self) -> list[Any]:
        mark = self._marks.pop()
        items = self._stack[mark:]
        del self._stack[mark:]
        return items

    def _list(self) -> list[Any]:
        target = self._stack[-1]
        if not isinstance(target, list):
            raise RefusedInstructionError("appends to an object that is not a list")
        return target
