"""The benchmark of checks runs on a user's clips, and the checks find nearly every mistake in them."""

import re
import sys
from pathlib import Path

import pytest

from pipeline.demo.made_clips import MadeDataset, clip_file, raw_name
from tests.data.checks.bench_checks import main
from tests.data.checks.recording_mistakes import MISTAKES, UNSEEN


def test_nearly_every_mistake_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    dataset = MadeDataset((1, 8), subjects=1, replications=1, frames=(60, 84), seed=0)
    for clip in dataset.clips():
        (tmp_path / raw_name(clip)).write_bytes(clip_file(clip, dataset))
    (tmp_path / "S001C001P001R001A099.skeleton").write_bytes(b"")
    monkeypatch.setattr(sys, "argv", ["bench_checks", str(tmp_path)])
    main()
    output = capsys.readouterr().out
    assert re.search(r"left out: .*A099", output)
    assert re.search(r"^  \S+ +0 of 2$", output, re.MULTILINE), output
    found = re.search(r"^found +(\d+) of (\d+)$", output, re.MULTILINE)
    assert found, output
    assert int(found[2]) == len(MISTAKES) - len(UNSEEN)
    assert int(found[1]) >= 0.95 * int(found[2]), output
