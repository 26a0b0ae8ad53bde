"""Members in processes of their own: results in order, and no process that outlives a killed program."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from pipeline.stages.parallel import worked_on

PROGRAM = """
import sys
from pathlib import Path
from pipeline.stages.parallel import worked_on
from tests.pipeline.stages.test_parallel import tell_and_wait
list(worked_on(tell_and_wait, [(Path(sys.argv[1]) / name,) for name in "ab"], 2))
"""


def tell_and_wait(path: Path) -> None:
    path.with_suffix(".writing").write_text(str(os.getpid()))
    path.with_suffix(".writing").rename(path)
    time.sleep(60)


def lives(process: int) -> bool:
    try:
        state = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


def wait_for(paths: list[Path], seconds: float) -> bool:
    end = time.monotonic() + seconds
    while not all(path.exists() for path in paths) and time.monotonic() < end:
        time.sleep(0.1)
    return all(path.exists() for path in paths)


def double(number: int) -> int:
    return 2 * number


@pytest.mark.parametrize("workers", [1, 2])
def test_results_come_in_the_order_of_the_tasks(workers: int) -> None:
    assert list(worked_on(double, [(number,) for number in range(5)], workers)) == [0, 2, 4, 6, 8]


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks for processes in /proc")
def test_workers_end_with_a_program_that_is_killed(tmp_path: Path) -> None:
    child = subprocess.Popen([sys.executable, "-c", PROGRAM, str(tmp_path)], cwd=Path(__file__).parents[3])
    told = [tmp_path / "a", tmp_path / "b"]
    assert wait_for(told, 60)
    workers = [int(path.read_text()) for path in told]
    assert all(map(lives, workers))
    child.send_signal(signal.SIGKILL)
    child.wait()
    end = time.monotonic() + 20
    while any(map(lives, workers)) and time.monotonic() < end:
        time.sleep(0.1)
    assert not any(map(lives, workers))
