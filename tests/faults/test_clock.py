"""The clock is wrong, goes back between two commands, or at every look. Which stages are up to date stays the same.

The commands run in processes of their own; a module that Python imports at the start sets their clock. The tests set
the times of files separately: they matter for raw files only, and there it matters only whether a time has changed.
"""

import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.workspace.folder import Workspace
from pipeline.workspace.provenance import read_record
from tests.conftest import TINY_CONFIG, TinyRun, lay_out
from tests.faults.kill_scenes import fingerprints, outputs, program

ROOT = Path(__file__).parents[2]
CLOCK = """
import datetime
import os
import time

from pipeline.workspace import provenance

now, step = float(os.environ["CLOCK_START"]), float(os.environ["CLOCK_STEP"])


def look():
    global now
    now += step
    return now


class Shifted(datetime.datetime):
    @classmethod
    def now(cls, tz=None):
        return cls.fromtimestamp(look(), tz)


time.time = look
time.time_ns = lambda: int(look() * 1e9)
provenance.datetime = Shifted  # in this module only: pandas does not know the type
"""
YEAR_SECONDS = 31_556_952
IN_2040, IN_2001 = 70 * YEAR_SECONDS + 10**6, 31 * YEAR_SECONDS + 10**6
DURATION = re.compile(r"(?:done )?in (-?[\d.e+-]+) s\b")


@pytest.fixture
def workspace(tiny_run: TinyRun, tmp_path: Path) -> Path:
    """A copy with its own raw clips, since a test changes them. Their times are copied too, so all is up to date."""
    return Path(shutil.copytree(tiny_run.root, tmp_path / "work"))


@pytest.fixture
def clock(tmp_path: Path) -> Path:
    (tmp_path / "clock").mkdir()
    (tmp_path / "clock" / "sitecustomize.py").write_text(CLOCK)
    return tmp_path / "clock"


def at(start: int, clock: Path, workspace: Path, *arguments: str, step: float = 0) -> subprocess.CompletedProcess[str]:
    """Run the command with a clock that starts at `start` and advances by `step` seconds at every look."""
    environment = {
        **os.environ,
        "PYTHONPATH": f"{clock}{os.pathsep}{ROOT}",
        "CLOCK_START": str(start),
        "CLOCK_STEP": str(step),
    }
    command = [sys.executable, "-m", "pipeline", "-w", str(workspace), *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True)


def year_of(path: Path) -> str:
    return read_record(path)["created"][:4]


def test_what_was_made_in_the_future_is_up_to_date_when_the_clock_went_back(workspace: Path, clock: Path) -> None:
    done = at(IN_2040, clock, workspace, "evaluate", "--force")
    assert (done.returncode, year_of(workspace / "runs/default/results.json")) == (0, "2040"), done.stderr
    for path in (path for stage in outputs(Workspace(workspace)) for path in stage):
        os.utime(path, (IN_2040, IN_2040))
    for start in (IN_2001, IN_2040):
        assert at(start, clock, workspace, "status").stdout.endswith("every stage is up to date\n")
        assert at(start, clock, workspace, "run").stdout == "nothing to do: every stage is up to date\n"


def test_an_input_that_changed_in_the_past_is_stale(workspace: Path, clock: Path) -> None:
    for path in (path for stage in outputs(Workspace(workspace)) for path in stage):
        os.utime(path, (IN_2040, IN_2040))
    descriptions = workspace / "descriptions.csv"
    descriptions.write_text(descriptions.read_text("utf-8").replace("A001,", "A001,another ", 1), "utf-8")
    clip = min((workspace / "raw" / "setup1").glob("S*.skeleton"))
    for path in (descriptions, clip):
        os.utime(path, (IN_2001, IN_2001))  # older than everything that was made of them
    states = at(IN_2001, clock, workspace, "status").stdout
    assert "text of A001 changed" in states
    assert "raw/setup1 changed" in states
    done = at(IN_2001, clock, workspace, "run", "--until", "embed-text")
    assert done.returncode == 0, done.stderr
    assert {year_of(workspace / name) for name in ("skeletons.h5", "text.h5")} == {"2001"}
    assert "embed-text: done in" in done.stderr
    assert "extract" not in done.stderr  # skeletons.h5 holds the same clips again
    assert "text.h5 changed" in at(IN_2001, clock, workspace, "status").stdout  # so that train is stale


def test_the_lock_does_not_depend_on_the_clock(workspace: Path, clock: Path) -> None:
    (workspace / "skeletons.h5").unlink()
    child = program(Workspace(workspace), "preprocess")
    assert child.stderr is not None
    child.stderr.readline()  # it has begun, and holds the lock
    child.send_signal(signal.SIGSTOP)
    for start in (IN_2001, IN_2040):
        os.utime(workspace / ".lock", (start, start))
        refused = at(IN_2001 + IN_2040 - start, clock, workspace, "run")
        assert refused.returncode == 1
        assert f"another fsvae-pipe command is running in {workspace}" in refused.stderr
    child.kill()
    child.communicate()
    os.utime(workspace / ".lock", (IN_2040, IN_2040))
    done = at(IN_2001, clock, workspace, "preprocess")
    assert done.returncode == 0, done.stderr


@pytest.mark.slow
def test_a_clock_that_goes_back_at_every_look_changes_nothing(tiny_run: TinyRun, tmp_path: Path, clock: Path) -> None:
    lay_out(tmp_path / "work", (tiny_run.root / "raw").resolve(), TINY_CONFIG)
    done = at(IN_2001, clock, tmp_path / "work", "run", step=-3600)
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    durations = [float(seconds) for seconds in DURATION.findall(done.stderr)]
    assert len(durations) >= 7  # five stages and two members
    assert min(durations) >= 0
    made, usual = (Workspace(root) for root in (tmp_path / "work", tiny_run.root))
    assert fingerprints(made, outputs(made)) == fingerprints(usual, outputs(usual))
    assert at(IN_2001, clock, tmp_path / "work", "run").stdout == "nothing to do: every stage is up to date\n"
