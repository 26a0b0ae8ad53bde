"""What runs on the workers of a cluster: a look at what they have, and the tasks."""

import hashlib
import io
import os
import pickle
import socket
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack, redirect_stderr
from dataclasses import dataclass
from functools import cache
from importlib import resources
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TypeVar

from pipeline.messages.errors import PipelineError
from pipeline.workspace.provenance import package_versions

Result = TypeVar("Result")
FOLDERS = ("pipeline", "models", "data", "descriptions")  # of this program's code
LATE_SECONDS = 10.0  # after which what is written in a network folder is seen everywhere


@dataclass(frozen=True)
class InFile:
    """An argument that is too large to be sent again with each task: a pickle in the workspace's folder .cluster/."""

    path: Path


@dataclass(frozen=True)
class Sent:
    """The same for workers that do not see the workspace: the pickle itself, or the contents of the file `file`."""

    content: bytes
    file: str = ""


@dataclass(frozen=True)
class Wanted:
    """What a worker must have to do a task: these versions, and `token` in `token_file`, if the folder is shared."""

    versions: dict[str, str]
    token_file: Path
    token: str  # "": the folder is not shared


@dataclass(frozen=True)
class Seen:
    """What a worker has: versions, its processor, and the text in a file that the program wrote for it ("": none)."""

    versions: dict[str, str]
    processor: str
    token: str


@cache
def versions() -> dict[str, str]:
    """The versions of Python, of the packages that results depend on, and a digest of this program's own code."""
    digest = hashlib.sha256()
    for folder in FOLDERS:
        root = Path(str(resources.files(folder)))
        for path in sorted(root.rglob("*.py")):
            digest.update(path.relative_to(root).as_posix().encode() + path.read_bytes())
    return {**package_versions(), "code of fsvae-pipe": digest.hexdigest()[:12]}


def processor() -> str:
    """The model of the processor, as Linux gives it; "" elsewhere."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return ""
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "")


def look(token: Path) -> Seen:
    """Say what this worker has. The file `token` is in the folder .cluster/ of the workspace."""
    return Seen(versions(), processor(), token_in(token))


def token_in(path: Path) -> str:
    """The text of the file at `path`; "" when it can't be read. Without its workspace, it is not waited for."""
    try:
        return content_of(path).decode() if path.parents[1].is_dir() else ""
    except (OSError, ValueError):
        return ""


@cache
def sees(wanted_token: str, path: Path) -> bool:
    """Whether `path` holds the text `wanted_token`."""
    return token_in(path) == wanted_token


def content_of(path: Path) -> bytes:
    """The bytes of a file that another machine has just written. Raises FileNotFoundError when it does not appear."""
    end = time.monotonic() + LATE_SECONDS
    while not path.exists() and time.monotonic() < end:
        time.sleep(0.2)
    return path.read_bytes()


def run_task(wanted: Wanted, function: Callable[..., Result], arguments: Sequence[Any]) -> Result:
    """Return function(*arguments). What it writes to standard error is shown where the program runs.

    Raises PipelineError when this worker, which may have come later than the others, does not have what is `wanted`.
    """
    me = f"the worker {os.getpid()} on {socket.gethostname()}"
    if differences := different(wanted.versions, versions()):
        raise PipelineError(f"{me} has {differences}; {SAME_ADVICE}")
    if wanted.token and not sees(wanted.token, wanted.token_file):
        raise PipelineError(
            f"{me} came later and does not see {wanted.token_file.parents[1]}, which the others share; end it, then "
            "run the same command again"
        )
    with ExitStack() as stack, redirect_stderr(ToTheUser()):
        return function(*(_received(argument, stack) for argument in arguments))


def keep(sent: Sent) -> Sent:
    """Return `sent`. As the result of a task it lies on the workers, and is sent again when those that had it died."""
    return sent


def _received(argument: object, stack: ExitStack) -> object:
    """The argument of a task; of a file that was sent, the path of a copy, which is removed after the task."""
    match argument:
        case InFile(path):
            return pickle.loads(content_of(path))
        case Sent(content, ""):
            return pickle.loads(content)
        case Sent(content, file):
            from distributed import get_worker

            folder = stack.enter_context(TemporaryDirectory(dir=get_worker().local_directory))
            copy = Path(folder) / file
            copy.write_bytes(content)
            return copy
    return argument


SAME_ADVICE = "results are the same bit for bit only with the same versions: install the same ones on all machines"


def different(wanted: dict[str, str], found: dict[str, str]) -> str:
    """Where `found` is not as `wanted`, in words; "" when all is the same."""
    return ", ".join(
        f"{name} {found.get(name, 'not installed')} where this program has {value}"
        for name, value in wanted.items()
        if found.get(name) != value
    )


class ToTheUser(io.TextIOBase):
    """A standard error whose whole lines are shown where the program runs."""

    def __init__(self) -> None:
        self._begun = ""

    def write(self, text: str) -> int:
        """Take `text`, and show the lines that are whole."""
        from distributed import print as show

        *lines, self._begun = (self._begun + text).split("\n")
        with redirect_stderr(io.StringIO()):  # Dask shows a line here too, which may be the same screen
            for line in lines:
                show(line, file=sys.stderr)
        return len(text)
