"""A run that is killed or stopped leaves whole files. Finished later, it gives the results of an undisturbed run."""

import signal
from pathlib import Path

import pytest

from tests.faults.kill_scenes import make_workspace, program
from tests.faults.kill_suite import COMMANDS, run_suite


@pytest.mark.slow
@pytest.mark.parametrize("command", COMMANDS)
def test_killed_runs_give_the_results_of_undisturbed_ones(tmp_path: Path, command: str) -> None:
    tally = run_suite(tmp_path, kills=3, seed=1, commands=[command], clips=300)
    assert tally.kills == 3
    assert tally.differences == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_stops_cleanly_and_says_how_to_go_on(tmp_path: Path, number: signal.Signals) -> None:
    workspace = make_workspace(tmp_path)
    child = program(workspace, "run")
    assert child.stderr is not None
    child.stderr.readline()  # it has begun
    child.send_signal(number)
    _, errors = child.communicate(timeout=60)
    assert child.returncode == 128 + number
    assert f"fsvae-pipe -w {tmp_path} run` goes on" in errors.decode()
    assert "Traceback" not in errors.decode()
    assert list(tmp_path.rglob("*.partial")) == []
