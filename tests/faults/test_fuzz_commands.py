"""A short run of the fuzzer of commands, and what its checks find. tests/fuzz/commands.py is the fuzzer."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.fuzz.command_sequences.checks import check_results, check_status
from tests.fuzz.command_sequences.workspace import START
from tests.fuzz.commands import Walk, make_start, sequence

Tree = dict[str, Any]


@pytest.fixture(scope="module")
def start(tmp_path_factory: pytest.TempPathFactory) -> Walk:
    return make_start(tmp_path_factory.mktemp("commands") / "start")


@pytest.mark.parametrize("number", range(2))
def test_a_sequence_has_no_fault(start: Walk, tmp_path: Path, number: int) -> None:
    walk = sequence(start, tmp_path / "work", 7, number)
    assert walk.faults == [], walk.steps
    assert walk.steps


def more_unseen(results: Tree) -> None:
    results["split"]["unseen"].append(2)
    results["split"]["seen"].remove(2)


def more_clips(results: Tree) -> None:
    results["counts"]["test"]["unseen_clips"] += 1


def better(results: Tree) -> None:
    results["seeds"]["5"]["last"]["gzsl"]["unseen"] += 1


def other_subjects(results: Tree) -> None:
    results["config"]["dataset"]["train_subjects"] = [1, 2, 3]


def other_backbone(results: Tree) -> None:
    results["config"]["backbone"]["frames"] = 7


def no_transfer_known(results: Tree) -> None:
    results["transfer"] = True


def stale_without_reason(results: Tree) -> None:
    results["caveats"].append("made from what is stale: extract (seed changed)")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (more_unseen, "test phase: ['A002'] count as unseen, but its backbone saw them"),
        (more_clips, "test: counts"),
        (better, "5/last: gzsl.unseen is"),
        (other_subjects, "the training clips are not those of the protocol"),
        (other_backbone, "results.json tells backbone.frames = 7, but 6 was used"),
        (no_transfer_known, "transfer is True, leaked are []"),
        (stale_without_reason, "extract is done, caveats"),
    ],
)
def test_the_checks_find_wrong_results(start: Walk, change: Callable[[Tree], None], said: str) -> None:
    path = start.root / "runs" / "default" / "results.json"
    whole = path.read_text("utf-8")
    assert list(check_results(start.account, "default", START)) == []
    results = json.loads(whole)
    change(results)
    path.write_text(json.dumps(results), "utf-8")
    try:
        assert any(said in fault for fault in check_results(start.account, "default", START))
    finally:
        path.write_text(whole, "utf-8")


def test_the_checks_find_what_is_called_done_and_is_not(start: Walk) -> None:
    states: list[Tree] = [{"stage": "extract", "state": "done", "reasons": []}]
    assert list(check_status(start.account, "default", START, states)) == []
    (fault,) = check_status(start.account, "default", {**START, "backbone.frames": 7}, states)
    assert "status calls extract done" in fault
    assert "backbone.frames" in fault
