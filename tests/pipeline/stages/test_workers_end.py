"""A worker ends with a program that is killed, also while it waits to be rid of what it has done."""

import signal
import subprocess
import time
from pathlib import Path

import pytest

from data.stores.files import partial_path
from tests.faults.kill_scenes import make_preprocess_workspace, many_clips, program
from tests.shared.made_skeletons import write_folder

CLIPS = 2500
WRITTEN_BYTES = 100_000  # of some 20 MB; HDF5 keeps up to 8 MB back, so that both workers are at work by then
FULL_SECONDS = 1.0  # for workers to fill the pipe to a program that does not read
GONE_SECONDS = 20


@pytest.mark.skipif(not hasattr(signal, "SIGSTOP"), reason="needs a process that can be halted")
def test_workers_whose_results_nobody_takes_end_with_the_program(tmp_path: Path) -> None:
    workspace = make_preprocess_workspace(tmp_path / "work", write_folder(tmp_path / "clips", many_clips(CLIPS)))
    child = program(workspace, "preprocess", "--set", "preprocess.workers=2")
    partial = partial_path(workspace.skeletons)
    while child.poll() is None and not (partial.exists() and partial.stat().st_size > WRITTEN_BYTES):
        time.sleep(0.01)
    child.send_signal(signal.SIGSTOP)
    time.sleep(FULL_SECONDS)
    child.kill()
    assert child.wait() == -signal.SIGKILL
    assert child.stderr is not None
    try:
        child.communicate(timeout=GONE_SECONDS)  # ends when nobody is left who could write to standard error
    except subprocess.TimeoutExpired:
        pytest.fail("a worker goes on")
    finally:
        child.stderr.close()
