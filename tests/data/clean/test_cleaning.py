import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from data.clean.cleaning import clean_batch, collect
from data.clip_name import ClipName
from data.raw.sources import find_clips
from data.recordings.read_clip import RawPart, Reading
from tests.shared.made_skeletons import made_files, write_folder

BROKEN = {"S001C001P001R999A001.skeleton": b"1\n1\n", "S001C001P001R999A002.skeleton": b"1\n0\n"}


def parts_in(folder: Path) -> list[tuple[ClipName, RawPart]]:
    return [(name, RawPart(source)) for name, source in find_clips([folder])[0]]


def test_a_batch_holds_the_valid_clips_and_the_reasons_of_the_rejects(tmp_path: Path) -> None:
    good = made_files(4)
    clips = parts_in(write_folder(tmp_path, {**good, **BROKEN}))
    batch = clean_batch(clips, "shift-gcn", Reading())
    assert {f"{name}.skeleton" for name in batch.clips.name.tolist()} == set(good)
    assert [(Path(reject.file).name, reject.line) for reject in batch.rejects] == [
        ("S001C001P001R999A001.skeleton", 2),
        ("S001C001P001R999A002.skeleton", None),
    ]
    assert all(reject.reason for reject in batch.rejects)
    rows = int((batch.clips.frames * batch.clips.bodies).sum())
    assert batch.clips.joints.shape == (rows, 25, 3)


def test_a_batch_without_a_valid_clip_is_empty_in_every_column(tmp_path: Path) -> None:
    clips = parts_in(write_folder(tmp_path, BROKEN))
    batch = clean_batch(clips, "denoised", Reading())
    assert len(batch.clips) == 0
    assert len(batch.rejects) == 2
    assert all(len(getattr(batch.clips, column)) == 0 for column in batch.clips.COLUMNS)
    assert batch.clips.period.shape == (0, 2)
    assert batch.clips.joints.shape == collect([]).joints.shape == (0, 25, 3)


def test_a_clip_does_not_depend_on_the_others_in_its_batch(tmp_path: Path) -> None:
    clips = parts_in(write_folder(tmp_path, made_files(6)))
    whole = clean_batch(clips, "shift-gcn", Reading()).clips
    parts = [clean_batch([clip], "shift-gcn", Reading()).clips for clip in clips]
    assert np.array_equal(whole.joints, np.concatenate([part.joints for part in parts]))
    assert whole.name.tolist() == [part.name[0] for part in parts]


@pytest.mark.parametrize("heavy", ["h5py", "torch", "pandas", "pydantic", "rich"])
def test_a_worker_process_loads_nothing_heavy(heavy: str) -> None:
    code = f"import data.clean.cleaning, sys; sys.exit({heavy!r} in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
