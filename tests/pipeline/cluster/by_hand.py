"""A scheduler and workers that are started by hand, as on machines that share a folder."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

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
def started(folder: Path, workers: int) -> Iterator[ByHand]:
    """Start a scheduler and `workers` workers, each in a folder of its own. End them afterwards."""
    with ExitStack() as stack:

        def start(name: str, *options: str) -> Process:
            place = folder / name
            place.mkdir(parents=True)
            process = subprocess.Popen(
                [sys.executable, "-m", "dask", *options, "--no-dashboard", "--scheduler-file", str(file)],
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
        machines = [start(f"machine{number}", *one_thread) for number in range(workers)]  # they wait for the file
        end = time.monotonic() + START_SECONDS
        while not file.exists() and time.monotonic() < end:
            time.sleep(0.1)
        yield ByHand(json.loads(file.read_text())["address"], scheduler, machines)
