import csv
import errno
import io
import os
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rich.console import Console

from data.errors import DataError
from data.raw.clip_source import ClipSource
from data.raw.skeleton_file import format_clip
from data.raw.sources import missing_clips
from data.recipes import RECIPES
from data.stores import h5
from data.stores.skeleton_store import SkeletonStore
from pipeline.messages.errors import PipelineError
from pipeline.stages import preprocess as stage
from pipeline.stages.table import stage_named
from pipeline.workspace.config import build_config
from pipeline.workspace.context import Context
from pipeline.workspace.folder import Workspace
from tests.shared.made_skeletons import made_files, moving_body, moving_clip, write_folder, write_zip

BROKEN = {
    "S001C001P001R900A001.skeleton": b"2\n1\n",
    "S001C001P001R900A002.skeleton": b"",
    "walk.skeleton": b"1\n0\n",
}


def context_of(folder: Path, *raw: Path, name: str = "mine", **settings: Any) -> Context:
    config = build_config(
        {"dataset": {"name": name, "raw": [str(path) for path in raw]}, "preprocess": settings}, "test"
    )
    return Context(Workspace(folder), config, folder / "config.toml", Console(file=io.StringIO(), width=200))


def preprocess(folder: Path, *raw: Path, **settings: Any) -> str:
    """Run the stage; what it said."""
    context = context_of(folder, *raw, **settings)
    stage_named("preprocess").run(context)
    assert isinstance(context.console.file, io.StringIO)
    return context.console.file.getvalue()


def rejects_in(folder: Path) -> list[dict[str, str]]:
    with (folder / "rejects.csv").open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def fingerprint_in(folder: Path) -> str:
    return h5.read_record(folder / "skeletons.h5")["fingerprint"]


def test_raw_clips_become_skeletons_and_rejects(tmp_path: Path) -> None:
    good = made_files(10)
    raw = write_folder(tmp_path / "raw", {**good, **BROKEN})
    said = preprocess(tmp_path / "work", raw, workers=1)
    with SkeletonStore(tmp_path / "work" / "skeletons.h5") as store:
        assert [f"{name}.skeleton" for name in store.name.tolist()] == sorted(good)
        assert np.all(store.batch(np.arange(10), 20)[..., 0].any(axis=(1, 3)))  # (B, T)
        two = int((store.bodies == 2).sum())
    rows = {Path(row["file"]).name: row for row in rejects_in(tmp_path / "work")}
    assert set(rows) == set(BROKEN)
    assert (rows["S001C001P001R900A001.skeleton"]["line"], rows["walk.skeleton"]["line"]) == ("2", "")
    assert all(row["reason"] for row in rows.values())
    assert "10 clips kept" in said
    assert f"{two} clips with two bodies" in said
    assert "3 files refused" in said
    assert str(tmp_path / "work" / "rejects.csv") in said


def test_the_result_does_not_depend_on_workers_or_on_folder_or_zip(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stage, "BATCH_CLIPS", 3)
    monkeypatch.setattr(stage, "WINDOW_BATCHES", 4)
    files = {**made_files(40), "S001C001P001R900A002.skeleton": b""}
    folder = write_folder(tmp_path / "raw", files)
    archive = write_zip(tmp_path / "raw.zip", {f"deep/in/{name}": content for name, content in files.items()})
    stored = write_zip(tmp_path / "stored.zip", files, zipfile.ZIP_STORED)
    fingerprints = []
    for number, (raw, workers) in enumerate([(folder, 1), (folder, 2), (archive, 2), (archive, 4), (stored, 1)]):
        preprocess(tmp_path / str(number), raw, workers=workers)
        fingerprints.append(fingerprint_in(tmp_path / str(number)))
        assert len(rejects_in(tmp_path / str(number))) == 1
    assert len(set(fingerprints)) == 1


def test_a_second_run_writes_the_same_file_but_for_its_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    raw = write_folder(tmp_path / "raw", made_files(5))
    context = context_of(tmp_path / "work", raw, workers=1)
    provenance = stage_named("preprocess").provenance(context)
    record = provenance.record()
    monkeypatch.setattr(type(provenance), "record", lambda _: record)
    stage.preprocess(context, provenance)
    first = context.workspace.skeletons.read_bytes()
    partial = context.workspace.root / ".skeletons.h5.partial"
    partial.write_bytes(b"what a killed run left behind")
    stage.preprocess(context, provenance)
    assert context.workspace.skeletons.read_bytes() == first
    assert not partial.exists()


@pytest.mark.parametrize("recipe", RECIPES)
def test_what_a_recipe_drops_is_reported(tmp_path: Path, recipe: str) -> None:
    rng = np.random.default_rng(0)
    joints = np.stack([moving_body(rng, 30) for _ in range(4)], axis=1)
    joints[:, 1, :, 1] = 0.5  # flat, so wider than high
    joints[5:, 2] = 0
    raw = write_folder(tmp_path / "raw", {"S001C001P001R001A001.skeleton": format_clip(joints)})
    said = preprocess(tmp_path / "work", raw, recipe=recipe, workers=1)
    with SkeletonStore(tmp_path / "work" / "skeletons.h5") as store:
        assert store.dropped.tolist() == [2]
    reasons = ("too short", "too wide") if recipe == "denoised" else ("energy",)
    assert all(reason in said for reason in reasons)


def test_official_missing_clips_and_foreign_actions_are_left_out_and_counted_apart(tmp_path: Path) -> None:
    missing = sorted(missing_clips("ntu60"))[:3]
    clip = format_clip(moving_clip(np.random.default_rng(0), 5))
    names = [*missing, "S001C001P001R001A060", "S018C001P001R001A061", "S018C001P001R001A120"]
    raw = write_folder(tmp_path / "raw", {f"{name}.skeleton": clip for name in names})
    said = preprocess(tmp_path / "ntu60", raw, name="ntu60", workers=1)
    assert "1 clip kept" in said
    assert "3 clips left out: on the official list of missing skeletons of ntu60" in said
    assert "2 clips left out: actions above A060 are not in ntu60" in said
    assert rejects_in(tmp_path / "ntu60") == []
    assert "3 clips kept" in preprocess(tmp_path / "ntu120", raw, name="ntu120", workers=1)
    assert "6 clips kept" in preprocess(tmp_path / "mine", raw, name="mine", workers=1)


def test_a_file_that_cannot_be_read_stops_no_other(tmp_path: Path) -> None:
    raw = write_folder(tmp_path / "raw", made_files(3))
    (raw / "S001C001P001R900A001.skeleton").symlink_to("S001C001P001R900A001.skeleton")
    archive = write_zip(tmp_path / "more.zip", {"S002C001P001R900A001.skeleton": b"1\n0\n" * 100}, zipfile.ZIP_STORED)
    archive.write_bytes(archive.read_bytes().replace(b"1\n0\n1", b"1\n0\n2", 1))
    assert "3 clips kept" in preprocess(tmp_path / "work", raw, archive, workers=1)
    reasons = [row["reason"] for row in rejects_in(tmp_path / "work")]
    assert "can't be read (Too many levels of symbolic links)" in reasons[0]
    assert "checksum is wrong" in reasons[1]


def test_when_no_clip_is_left_the_old_file_stays_and_the_rejects_say_why(tmp_path: Path) -> None:
    work = tmp_path / "work"
    preprocess(work, write_folder(tmp_path / "good", made_files(2)), workers=1)
    before = (work / "skeletons.h5").read_bytes()
    raw = write_folder(tmp_path / "bad", BROKEN)
    with pytest.raises(PipelineError, match=r"no clip is left .* 3 refused .* run `fsvae-pipe preprocess` again"):
        preprocess(work, raw, workers=1)
    assert (work / "skeletons.h5").read_bytes() == before
    assert len(rejects_in(work)) == 3
    assert sorted(path.name for path in work.iterdir()) == ["checks.csv", "rejects.csv", "skeletons.h5"]


def test_a_clip_that_is_there_twice_ends_the_stage_before_anything_is_written(tmp_path: Path) -> None:
    one = write_folder(tmp_path / "one", made_files(2))
    two = write_zip(tmp_path / "two.zip", made_files(2))
    with pytest.raises(DataError, match="is found twice"):
        preprocess(tmp_path / "work", one, two, workers=1)
    assert not (tmp_path / "work").exists() or list((tmp_path / "work").iterdir()) == []


def test_a_file_name_of_any_bytes_is_refused_by_name(tmp_path: Path) -> None:
    raw = write_folder(tmp_path / "raw", made_files(2))
    (raw / os.fsdecode(b"caf\xe9 [red].skeleton")).write_bytes(b"1\n0\n")
    said = preprocess(tmp_path / "work", raw, workers=1)
    assert "1 file refused" in said
    assert rejects_in(tmp_path / "work")[0]["file"].endswith("caf\\udce9 [red].skeleton")


def dying_batch(*_: object) -> None:
    os._exit(1)


def test_a_worker_that_dies_ends_the_stage_with_a_message(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stage, "BATCH_CLIPS", 1)
    monkeypatch.setattr(stage, "clean_batch", dying_batch)
    raw = write_folder(tmp_path / "raw", made_files(4))
    with pytest.raises(PipelineError, match=r"worker process ended .* preprocess.workers"):
        preprocess(tmp_path / "work", raw, workers=2)
    assert list((tmp_path / "work").iterdir()) == []


def test_files_that_cannot_be_read_now_leave_the_stage_undone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    raw = write_folder(tmp_path / "raw", {**made_files(9), **BROKEN})
    away = sorted(made_files(9))[:7]
    require_file = ClipSource._require_file

    def refused(source: ClipSource, path: Path) -> None:
        if path.name in away:
            raise OSError(errno.EIO if path.name == away[0] else errno.EACCES, "the system says no")
        require_file(source, path)

    with monkeypatch.context() as patch:
        patch.setattr(ClipSource, "_require_file", refused)
        with pytest.raises(
            PipelineError, match=r"7 raw files could not be read .*the system says no.*and 2 more"
        ) as no:
            preprocess(tmp_path / "work", raw, workers=1)
    assert all(name in str(no.value) for name in away[:5])
    assert not (tmp_path / "work" / "skeletons.h5").exists()
    assert not (tmp_path / "work" / "rejects.csv").exists()
    assert "9 clips kept" in preprocess(tmp_path / "work", raw, workers=1)
    assert {Path(row["file"]).name for row in rejects_in(tmp_path / "work")} == set(BROKEN)


@pytest.mark.parametrize("away", ["S001C001P001R900A001.skeleton", "setup7"])
def test_a_link_to_what_is_away_leaves_the_stage_undone_until_it_is_back(tmp_path: Path, away: str) -> None:
    raw = write_folder(tmp_path / "raw", made_files(3))
    (raw / away).symlink_to(tmp_path / "share")
    (raw / ".#S001C001P001R001A001").symlink_to("somebody@somewhere.17")  # as an editor locks a file
    with pytest.raises((DataError, PipelineError), match=rf"{away}: .*links to {tmp_path}/share, which is not there"):
        preprocess(tmp_path / "work", raw, workers=1)
    assert not list((tmp_path / "work").glob("*"))
    clip = next(iter(made_files(1, seed=1).values()))
    if away == "setup7":
        write_folder(tmp_path / "share", {"S009C001P001R001A001.skeleton": clip})
    else:
        (tmp_path / "share").write_bytes(clip)
    assert "4 clips kept" in preprocess(tmp_path / "work", raw, workers=1)
