"""A signal ends a command by KeyboardInterrupt and with its own exit code, wherever it arrives."""

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from textwrap import dedent

import numpy as np
import pytest

from data.stores import h5
from pipeline.cli.signals import interrupt

ROUNDS = 60


@pytest.fixture
def alarm() -> Iterator[None]:
    """SIGALRM ends a command as Ctrl-C does."""
    before = signal.signal(signal.SIGALRM, interrupt)
    yield
    signal.signal(signal.SIGALRM, before)


def write_for(path: Path, seconds: float) -> None:
    """Write one HDF5 file after another. Closing them takes most of the time."""
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        with h5.writing(path, {"stage": "test"}) as file:
            for number in range(20):
                file.create_dataset(f"rows{number}", data=np.zeros((200, 10)), fletcher32=True)


# A signal between `open` and its `with` leaves a file that nobody closes; Python warns of it.
@pytest.mark.filterwarnings("ignore:.*_io.FileIO:pytest.PytestUnraisableExceptionWarning")
@pytest.mark.usefixtures("alarm")
def test_no_signal_is_lost_in_hdf5(tmp_path: Path) -> None:
    rng = random.Random(7)
    stopped = 0
    for _ in range(ROUNDS):
        try:
            signal.setitimer(signal.ITIMER_REAL, rng.uniform(0.001, 0.04))
            write_for(tmp_path / "a.h5", seconds=2)
        except KeyboardInterrupt as interrupted:
            stopped += interrupted.args == (signal.SIGALRM,)
        assert not (tmp_path / ".a.h5.partial").exists()
    assert stopped == ROUNDS


def test_the_exit_code_counts_wherever_the_signal_arrives(tmp_path: Path) -> None:
    program = """
        import sys
        from pipeline.cli.signals import forget_interrupt
        try:
            exec("raise KeyboardInterrupt")  # code from a string, as dataclasses run it
        except KeyboardInterrupt:
            forget_interrupt()
            sys.exit(130)
    """
    (tmp_path / "stopped.py").write_text(dedent(program))
    root = Path(__file__).parents[3]
    environment = {**os.environ, "PYTHONPATH": f"{root}{os.pathsep}{tmp_path}"}
    assert subprocess.run([sys.executable, "-m", "stopped"], env=environment, check=False).returncode == 130
