"""The archive of NTU-60's size has its names, and the benchmark of the whole program measures commands on it."""

import re
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest

from data.clip_name import ClipName
from data.raw.skeleton_file import parse_clip
from data.raw.sources import missing_clips
from tests.benchmarks import bench_full_size, made_ntu60

CLIPS = 6


def test_the_names_divide_as_those_of_the_data_set() -> None:
    names = made_ntu60.names()
    there = [name for name in names if str(name) not in missing_clips("ntu60")]
    training = {subject for subject in range(1, 41) if made_ntu60.trains(subject)}
    assert (len(names), len(set(map(str, names)))) == (56_880, 56_880)
    assert (len(there), sum(name.subject in training for name in there)) == (56_578, 40_091)
    assert {name.setup for name in names} == set(range(1, 18))


def test_the_whole_program_is_measured_on_made_clips(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    archive, workspace = tmp_path / "ntu60.zip", tmp_path / "work"
    monkeypatch.setattr(sys, "argv", ["made_ntu60", str(archive), "--clips", str(CLIPS)])
    made_ntu60.main()
    with zipfile.ZipFile(archive) as file:
        inner = file.namelist()
        clips = [parse_clip(file.read(name), name) for name in inner]
    assert all(
        len(clip.body_ids) == 1 + (ClipName.parse(Path(name).stem).action >= 50)
        for name, clip in zip(inner, clips, strict=True)
    )
    assert len({clip.rows.tobytes() for clip in clips}) == CLIPS
    names = [ClipName.parse(Path(name).stem) for name in inner]
    assert len({name.subject for name in names}) == CLIPS
    assert {name.action >= made_ntu60.TWO_BODIES_FROM for name in names} == {True, False}

    monkeypatch.setattr(sys, "argv", ["bench", str(archive), str(workspace), "--until", "preprocess"])
    bench_full_size.main()
    line = re.search(r"\| `preprocess` \| (\d+) s \| \d+ s \| (\d+) MB \| (\d+) MB \|", capsys.readouterr().out)
    assert line
    assert np.all(np.array([int(number) for number in line.groups()[1:]]) > 20)
    assert (workspace / "skeletons.h5").exists()
