"""A study that is stopped by Ctrl-C or killed, and taken up again, ends with the tables of an undisturbed one."""

import signal
from pathlib import Path

import pytest

from pipeline.workspace.folder import Workspace
from tests.faults.kill_scenes import finish, program
from tests.pipeline.study.conftest import MadeStudy
from tests.pipeline.study.made_study import lay_out_study

STOPS = (  # what the console says when the study is stopped, and by what
    ("epoch   1/", signal.SIGINT),
    ("study: tiny/random-1 released", signal.SIGKILL),
    ("evaluate: seed 5", signal.SIGKILL),
)


def stopped_at(root: Path, line: str, number: signal.Signals) -> int:
    """Start the study, stop it by a signal when its console says `line`, and return its exit code."""
    child = program(Workspace(root), "reproduce")
    assert child.stderr is not None
    for said in child.stderr:
        if line in said.decode():
            child.send_signal(number)
            break
    child.communicate(timeout=120)
    return child.returncode


@pytest.mark.slow
def test_an_interrupted_study_has_the_same_tables(made_study: MadeStudy, tmp_path: Path, tiny_raw: Path) -> None:
    root = lay_out_study(tmp_path / "study", tiny_raw)
    codes = [stopped_at(root, *stop) for stop in STOPS]
    assert codes == [128 + signal.SIGINT, *[-signal.SIGKILL] * 2]
    assert not (root / "table.csv").exists()
    finish(Workspace(root), "reproduce")
    for name in ("table.csv", "table.tex"):
        assert (root / name).read_bytes() == (made_study.root / name).read_bytes()
    assert list(root.rglob("*.partial")) == []
