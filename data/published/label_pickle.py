"""The names and labels in a *_label.pkl, read without running it.

A pickle is a program: whoever wrote it decides what unpickling calls. These files hold no more than
(list of sample names, list of class indices), for which a pickle needs a dozen instructions that build lists, tuples,
strings and integers. This module carries out those, on the instructions that `pickletools` decodes, and refuses every
other one: nothing is imported, called or given attributes. NumPy arrays in a pickle need imports, so they are refused.
Every instruction makes at most one object no longer than its part of the file, so memory is bounded by the file.
"""

import io
import pickletools
from pathlib import Path
from typing import Any

from data.errors import DataError

MAX_BYTES = 1 << 26
VALUES = {
    "UNICODE", "SHORT_BINUNICODE", "BINUNICODE", "BINUNICODE8", "STRING", "SHORT_BINSTRING", "BINSTRING",
    "INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1", "LONG4",
}  # fmt: skip
REMEMBER = {"PUT", "BINPUT", "LONG_BINPUT"}
RECALL = {"GET", "BINGET", "LONG_BINGET"}
TUPLES = {"TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}
WANTED = "a pickled pair (list of sample names, list of class indices from 0) is wanted"


class Refused(Exception):
    """An instruction that is not carried out, or that does not fit what stands on the stack."""


def read_label_pickle(path: Path) -> tuple[list[str], list[int]]:
    """Sample names and class indices (from 0), equally many. Raises DataError when the file holds anything else."""
    if not path.is_file():
        raise DataError(f"{path}: no such file; {WANTED}")
    if path.stat().st_size > MAX_BYTES:
        raise DataError(f"{path}: {path.stat().st_size} bytes, which is too large; {WANTED}")
    try:
        pair = _Machine().run(path.read_bytes())
    except Refused as error:
        raise DataError(
            f"{path}: {error}; it is not carried out. {WANTED[0].upper()}{WANTED[1:]}: plain Python lists, no arrays"
        ) from None
    except (ValueError, IndexError, KeyError, UnicodeError) as error:
        raise DataError(f"{path}: cut short, or no pickle ({error}); {WANTED}") from error
    names, labels = pair if isinstance(pair, list | tuple) and len(pair) == 2 else (None, None)
    if not (isinstance(names, list | tuple) and isinstance(labels, list | tuple)):
        raise DataError(f"{path}: holds no pair of lists; {WANTED}")
    if not all(isinstance(name, str) for name in names) or not all(isinstance(label, int) for label in labels):
        raise DataError(f"{path}: its names are not all strings, or its labels not all integers; {WANTED}")
    if len(names) != len(labels):
        raise DataError(f"{path}: has {len(names)} names, but {len(labels)} labels; {WANTED}")
    return list(names), list(labels)


class _Machine:
    """What is left of a pickle machine: a stack, its marks, a memo."""

    def __init__(self) -> None:
        self._stack: list[Any] = []
        self._marks: list[int] = []
        self._memo: dict[int, Any] = {}

    def run(self, content: bytes) -> Any:
        """Carry out the instructions; return what is left. Raises Refused, or what a broken file gives."""
        for instruction, argument, _ in pickletools.genops(io.BytesIO(content)):
            if instruction.name == "STOP":
                return self._stack.pop()
            self._step(instruction.name, argument)
        raise ValueError("it has no end")

    def _step(self, name: str, argument: Any) -> None:
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
            raise Refused(
                f"holds the instruction {name}" + (f" ({str(argument)[:60]})" if argument is not None else "")
            )

    def _since_mark(self) -> list[Any]:
        mark = self._marks.pop()
        items = self._stack[mark:]
        del self._stack[mark:]
        return items

    def _list(self) -> list[Any]:
        target = self._stack[-1]
        if not isinstance(target, list):
            raise Refused("appends to something that is no list")
        return target
