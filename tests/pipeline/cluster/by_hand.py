"""A scheduler and workers that are started by hand, on machines that share a folder or do not; and what is compared."""

import json
import os
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import h5py
import pytest
from click.testing import CliRunner
from distributed import Client
from safetensors.numpy import load_file

from pipeline.cli.main import main

ROOT = Path(__file__).parents[3]
START_SECONDS = 60
Process = subprocess.Popen[bytes]


@dataclass(frozen=True)
class ByHand:
    """The address of a scheduler, and the processes of its workers."""

    address: str
    scheduler: Process
    workers: list[Process]


@contextmanager
def started(folder: Path, workers: int, hidden: tuple[Path, ...] = ()) -> Iterator[ByHand]:
    """Start a scheduler and `workers` workers, each in a folder of its own. End them afterwards.

    The workers see an empty folder at each path of `hidden`, as on a machine that does not share it. Skips the test
    where the system does not allow that.
    """
    with ExitStack() as stack:

        def start(name: str, *options: str, before: tuple[str, ...] = ()) -> Process:
            place = folder / name
            place.mkdir(parents=True)
            process = subprocess.Popen(
                [*before, sys.executable, "-m", "dask", *options, "--no-dashboard", "--scheduler-file", str(file)],
                cwd=place,
                env=os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
            stack.callback(process.wait)
            stack.callback(process.kill)  # without a nanny, a worker has no processes of its own
            return process

        file = folder / "scheduler.json"
        scheduler = start("scheduler", "scheduler", "--host", "127.0.0.1", "--port", "0")
        one_thread = ("worker", "--nthreads", "1", "--no-nanny")
        place = _without(hidden)
        machines = [start(f"machine{number}", *one_thread, before=place) for number in range(workers)]
        end = time.monotonic() + START_SECONDS
        while not file.exists() and time.monotonic() < end:
            time.sleep(0.1)
        address = json.loads(file.read_text())["address"]
        if workers:
            with Client(address, set_as_default=False) as client:
                client.wait_for_workers(workers, timeout=START_SECONDS)
        yield ByHand(address, scheduler, machines)


def _without(hidden: tuple[Path, ...]) -> tuple[str, ...]:
    """The beginning of a command line that hides folders, by mounts of its own."""
    if not hidden:
        return ()
    mounts = " && ".join(f"mount -t tmpfs none {shlex.quote(str(path))}" for path in hidden)
    place = ("unshare", "--mount", "sh", "-c", f'{mounts} && exec "$@"', "sh")
    if not shutil.which("unshare") or subprocess.run([*place, "true"], capture_output=True, check=False).returncode:
        pytest.skip("this system does not let a process hide folders from another one")
    return place


def command(root: Path, *arguments: str) -> str:
    """Run fsvae-pipe on a workspace and return what it wrote."""
    done = CliRunner().invoke(main, ["-w", str(root), *arguments])
    assert done.exit_code == 0, done.output
    return done.output


def contents(path: Path) -> dict[str, bytes]:
    """The bytes of every array in a file; its record has a time, so whole files differ."""
    if path.suffix == ".safetensors":
        return {name: array.tobytes() for name, array in load_file(path).items()}
    arrays: dict[str, bytes] = {}
    with h5py.File(path) as file:
        file.visititems(
            lambda name, item: arrays.update({name: repr(item[()].tolist()).encode()} if hasattr(item, "dtype") else {})
        )
    return arrays
