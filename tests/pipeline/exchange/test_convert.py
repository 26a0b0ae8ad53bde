"""`convert` and `manifest` as a user runs them, and `preprocess`, `show` and `predict` on recordings of a layout."""

import csv
import io
import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result

from data.layouts.layout import load_layout
from data.raw.clip_source import ClipSource
from data.raw.skeleton_file import parse_clip
from data.recordings.read_clip import ClipReader, RawPart, Reading
from data.stores.skeleton_store import SkeletonStore
from pipeline.cli.main import main
from pipeline.predict.clip_stream import _other_rate
from pipeline.predict.treatment import Treatment
from tests.conftest import TinyRun
from tests.data.layouts.made_recordings import person, points_of, recording_of

KINECT = load_layout("kinect-v1")


def call(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    """A Kinect v1 recording of 90 frames, with a label file of three clips, one of which has no end."""
    path = tmp_path / "joints_s02_e01.txt"
    path.write_bytes(recording_of(KINECT, points_of(person(90), KINECT)))
    labels = "s02_e01\nwalk: 0 29\nsit: 30 59\nwalk: 60 89\ncarry: NaN NaN\n"
    (tmp_path / "labels.txt").write_text(labels, "utf-8")
    return path


def test_labels_become_a_manifest_that_preprocess_takes(recording: Path, tmp_path: Path) -> None:
    manifest = tmp_path / "clips.csv"
    options = ("--layout", "kinect-v1", "--labels", tmp_path / "labels.txt", "-o", manifest)
    made = call("manifest", recording, *options)
    assert made.exit_code == 0, made.output
    assert f"wrote {manifest}: 3 clips" in made.stdout
    assert "labels.txt, line 5: carry from NaN to NaN: no numbers of frames" in made.stderr
    rows = list(csv.DictReader(io.StringIO(manifest.read_text("utf-8"))))
    assert rows[1] == {
        "file": recording.name, "action": "sit", "subject": "2", "setup": "1", "start_frame": "30", "end_frame": "59"
    }  # fmt: skip
    assert call("manifest", recording, *options).exit_code == 1  # it is not written over

    (tmp_path / "descriptions.csv").write_text("action,label,local,global\nA001,Walk,a,b\nA002,sit,a,b\n", "utf-8")
    done = call("-w", tmp_path, "init", "custom", "--layout", "kinect-v1", "--manifest", manifest, "--fps", 15)
    assert done.exit_code == 0, done.output
    assert 'manifest = "clips.csv"' in (tmp_path / "config.toml").read_text("utf-8")
    done = call("-w", tmp_path, "preprocess")
    assert done.exit_code == 0, done.output
    assert "3 clips kept, 177 frames" in done.stderr
    assert "3 clips resampled to 30 frames a second (the first: S001C001P002R001A001, from 15)" in done.stderr
    with SkeletonStore(tmp_path / "skeletons.h5") as store:
        assert store.name.tolist() == ["S001C001P002R001A001", "S001C001P002R001A002", "S001C001P002R002A001"]
        assert store.fps.tolist() == [15.0, 15.0, 15.0]
    assert (tmp_path / "checks.csv").read_text("utf-8").splitlines() == ["clip,file,check,evidence,advice"]
    assert "preprocess  done" in call("-w", tmp_path, "status").stdout
    manifest.write_text(manifest.read_text("utf-8").replace("30,59", "30,50"), "utf-8")
    assert "manifest changed" in call("-w", tmp_path, "status").stdout
    shown = call("-w", tmp_path, "show", "S001C001P002R001A002", "--from-raw", "-o", tmp_path / "page.html")
    assert shown.exit_code == 0, shown.output
    assert "frames 30 to 50" in (tmp_path / "page.html").read_text("utf-8")


def test_files_without_labels_have_a_row_each_with_what_their_names_tell(tmp_path: Path) -> None:
    content = recording_of(KINECT, points_of(person(5), KINECT))
    for name in ("a07_s03_e02_skeleton3D.txt", "0012-M.txt", "S001C002P003R004A005.txt", "mine.txt"):
        (tmp_path / name).write_bytes(content)
    done = call("manifest", tmp_path, "--layout", "kinect-v1", "-o", tmp_path / "clips.csv")
    assert done.exit_code == 0, done.output
    rows = list(csv.DictReader(io.StringIO((tmp_path / "clips.csv").read_text("utf-8"))))
    told = [{key: text for key, text in row.items() if text} for row in rows]
    assert told == [
        {"file": "0012-M.txt", "setup": "12", "camera": "2"},
        {"file": "S001C002P003R004A005.txt", "clip": "S001C002P003R004A005"},
        {"file": "a07_s03_e02_skeleton3D.txt", "action": "7", "subject": "3", "replication": "2"},
        {"file": "mine.txt"},
    ]
    assert {"action", "subject"} <= rows[0].keys()
    assert "next: fill in who does what" in done.stdout


def test_a_recording_becomes_ntu_files_that_read_as_it_does(recording: Path, tmp_path: Path) -> None:
    done = call("convert", recording, "--layout", "kinect-v1", "-o", tmp_path / "clips")
    assert done.exit_code == 0, done.output
    written = tmp_path / "clips" / "S001C001P001R001A001.skeleton"
    clip = parse_clip(written.read_bytes(), written.name)
    assert clip.joints.shape == (90, 1, 25, 3)
    np.testing.assert_allclose(clip.joints[:, 0, 3, 1], person(90)[:, 3, 1], atol=1e-4)
    (row,) = csv.DictReader(io.StringIO((tmp_path / "clips" / "names.csv").read_text("utf-8")))
    assert (row["clip"], row["file"], row["frames"], row["fps"]) == (written.stem, str(recording), "90", "30")
    assert f"{recording} has no clip name, so all clips are counted" in " ".join(done.stderr.split())
    again = call("convert", recording, "--layout", "kinect-v1", "-o", tmp_path / "clips")
    assert (again.exit_code, "has files in it already" in again.stderr) == (1, True)
    assert call("show", written, "-o", tmp_path / "page.html").exit_code == 0


def test_converting_by_a_manifest_names_what_could_not_be_read(recording: Path, tmp_path: Path) -> None:
    manifest = tmp_path / "clips.csv"
    manifest.write_text(f"file,action,start_s,end_s\n{recording.name},7,0,1\n{recording.name},8,50,60\n", "utf-8")
    options = ("--layout", "kinect-v1", "--manifest", manifest, "-o", tmp_path / "clips")
    done = call("convert", recording, *options)
    assert done.exit_code == 0, done.output
    assert sorted(path.name for path in (tmp_path / "clips").iterdir()) == [
        "S001C001P001R001A007.skeleton",
        "names.csv",
    ]
    assert "not read: " in done.stderr
    assert "none is in this span" in " ".join(done.stderr.split())


@pytest.mark.parametrize("layout", ["kinect-v1", "auto"])
def test_predict_reads_a_recording_of_another_layout(tiny_run: TinyRun, recording: Path, layout: str) -> None:
    done = call("-w", tiny_run.root, "predict", recording, "--layout", layout, "--fps", 20, "--json")
    assert done.exit_code == 0, done.output
    answer = json.loads(done.stdout)
    assert answer["actions"]
    assert answer["notes"] == ["resampled to 10 frames a second (from 20)"]
    assert "1 of 1 clips resampled to 10 frames a second" in " ".join(done.stderr.split())
    if layout == "auto":
        assert f"layout: kinect-v1 ({recording}: text, 20 joints)" in done.stderr


def test_a_layout_that_is_missing_unknown_or_two_dimensional_is_said(recording: Path) -> None:
    for arguments, message in (
        ((recording,), "does not end in .skeleton; name its layout with --layout, or --layout auto"),
        ((recording, "--layout", "kinekt-v1"), 'is no layout; do you mean "kinect-v1"?'),
        ((recording, "--layout", "coco-17"), "the layout coco-17 can't be used: "),
        ((recording, "--layout", "mine.toml"), "mine.toml: can't be read"),
    ):
        done = call("show", *arguments)
        assert done.exit_code == 1, done.output
        assert message in " ".join(done.stderr.split())


def test_a_layout_of_ones_own_is_a_toml_file(recording: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "tall.toml").write_text('base = "kinect-v1"\nname = "tall"\nunit_m = 1.1\n', "utf-8")
    monkeypatch.chdir(tmp_path)
    done = call("convert", recording, "--layout", "tall.toml", "-o", "clips")
    assert done.exit_code == 0, done.output
    joints = parse_clip(Path("clips/S001C001P001R001A001.skeleton").read_bytes(), "clip").joints
    np.testing.assert_allclose(joints[:, 0, 3, 1], 1.1 * person(90)[:, 3, 1], atol=1e-4)


def csv_of(frames: int) -> bytes:
    layout = load_layout("azure-kinect")
    return recording_of(layout, points_of(person(frames), layout))


def test_a_guessed_layout_and_what_it_leaves_out_are_said(tmp_path: Path) -> None:
    raw = tmp_path / "raw"
    raw.mkdir()
    (raw / "README.txt").write_text("Recorded on Monday.", "utf-8")
    (raw / "S001C001P001R001A001.csv").write_bytes(csv_of(20))
    bvh = load_layout("bvh")
    (raw / "walk.bvh").write_bytes(recording_of(bvh, points_of(person(20), bvh)))
    made = call("-w", tmp_path, "init", "custom", "--layout", "auto", "--raw", raw)
    guess = f"{raw}/S001C001P001R001A001.csv: text, 32 joints"
    assert f"layout: azure-kinect ({guess})" in made.stderr
    config = (tmp_path / "config.toml").read_text("utf-8")
    assert 'layout = "azure-kinect"' in config
    done = call("-w", tmp_path, "preprocess")
    assert done.exit_code == 0, done.output
    assert f"files with the endings of other layouts were not read: 1 (the first: {raw}/walk.bvh)" in done.stderr
    assert (
        call("-w", tmp_path, "preprocess", "--layout", "auto").stdout
        == "preprocess: up to date (--force runs it again)\n"
    )
    (tmp_path / "config.toml").write_text(config.replace('"azure-kinect"', '"auto"'), "utf-8")
    assert f"the layout azure-kinect was guessed ({guess})" in call("-w", tmp_path, "preprocess").stderr
    shutil.rmtree(raw)
    assert f'name it in {tmp_path}/config.toml in place of "auto"' in call("-w", tmp_path, "preprocess").stderr


def test_rows_of_a_manifest_without_a_subject_are_said(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes(csv_of(20))
    (tmp_path / "clips.csv").write_text("file,action,subject,end_frame\na.csv,1,,9\na.csv,2,2,\n", "utf-8")
    assert call("-w", tmp_path, "init", "custom", "--layout", "azure-kinect", "--manifest", tmp_path / "clips.csv")
    done = call("-w", tmp_path, "preprocess")
    assert f"1 of 2 rows of {tmp_path}/clips.csv tell no subject; they count as subject 1" in done.stderr


def test_a_manifest_in_words_begins_the_descriptions_and_follows_them(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes(csv_of(40))
    manifest = tmp_path / "clips.csv"
    manifest.write_text("file,action,subject,start_frame,end_frame\na.csv,Wave,1,0,19\na.csv,clap,1,20,39\n", "utf-8")
    assert call("-w", tmp_path, "init", "custom", "--layout", "azure-kinect", "--manifest", manifest).exit_code == 0
    refused = call("-w", tmp_path, "preprocess")
    assert 'line 2: the action "Wave" is neither' in refused.stderr
    assert f"`fsvae-pipe -w {tmp_path} texts --init` begins them" in refused.stderr
    begun = call("-w", tmp_path, "texts", "--init")
    assert begun.exit_code == 0, begun.output
    texts = tmp_path / "descriptions.csv"
    assert texts.read_text("utf-8") == "action,label,local,global\nA001,Wave,,\nA002,clap,,\n"
    done = call("-w", tmp_path, "preprocess")
    assert done.exit_code == 0, done.output
    with SkeletonStore(tmp_path / "skeletons.h5") as store:
        assert store.name.tolist() == ["S001C001P001R001A001", "S001C001P001R001A002"]
    assert state_of_preprocess(tmp_path)["state"] == "done"
    texts.write_text("action,label,local,global\nA001,Wave,a hand,\nA002,clap,,b\n", "utf-8")
    assert state_of_preprocess(tmp_path)["state"] == "done"
    texts.write_text("action,label,local,global\nA007,Wave,,\nA002,clap,,\n", "utf-8")
    assert state_of_preprocess(tmp_path)["state"] == "stale"
    assert state_of_preprocess(tmp_path)["reasons"] == ["actions of the manifest changed"]
    texts.write_text("action;label;local;global\nA007;Wave;;\n", "utf-8")
    assert "separated by semicolons" in call("-w", tmp_path, "preprocess").stderr


def state_of_preprocess(workspace: Path) -> dict[str, Any]:
    states: list[dict[str, Any]] = json.loads(call("-w", workspace, "status", "--json").stdout)
    return states[0]


def test_convert_writes_no_clip_over_another(tmp_path: Path) -> None:
    for day in ("monday", "tuesday"):
        (tmp_path / "raw" / day).mkdir(parents=True)
        (tmp_path / "raw" / day / "S001C001P001R001A001.csv").write_bytes(csv_of(20))
    done = call("convert", tmp_path / "raw", "--layout", "azure-kinect", "-o", tmp_path / "clips")
    assert done.exit_code == 1
    assert f"S001C001P001R001A001 is found twice, as {tmp_path}/raw/monday/S001" in done.stderr


def test_a_manifest_names_files_so_that_they_are_found_again(tmp_path: Path) -> None:
    raw = tmp_path / "raw"
    raw.mkdir()
    for name in ("-a.csv", "=1+2.csv", "b ö.csv"):
        (raw / name).write_bytes(csv_of(20))
    assert call("manifest", raw, "--layout", "azure-kinect", "-o", raw / "clips.csv").exit_code == 0
    rows = list(csv.DictReader(io.StringIO((raw / "clips.csv").read_text("utf-8"))))
    assert [row["file"] for row in rows] == ["./-a.csv", "./=1+2.csv", "b ö.csv"]
    (raw / "clips.csv").write_text("".join(["file,action\n", *(f"{row['file']},1\n" for row in rows)]), "utf-8")
    call("-w", tmp_path, "init", "custom", "--layout", "azure-kinect", "--manifest", raw / "clips.csv")
    assert "3 clips kept" in call("-w", tmp_path, "preprocess").stderr
    (raw / "bad\x1b.csv").write_bytes(csv_of(20))
    refused = call("manifest", raw, "--layout", "azure-kinect", "-o", tmp_path / "more.csv")
    assert "a manifest can't hold this name; rename the file" in refused.stderr


def test_clips_that_keep_several_rates_are_told(recording: Path, tmp_path: Path) -> None:
    (tmp_path / "clips.csv").write_text(
        f"file,action,start_frame,end_frame,fps\n{recording.name},1,0,40,30\n{recording.name},2,41,89,60\n", "utf-8"
    )
    done = call("-w", tmp_path, "init", "custom", "--layout", "kinect-v1", "--manifest", tmp_path / "clips.csv")
    assert done.exit_code == 0, done.output
    kept = call("-w", tmp_path, "preprocess", "--set", "preprocess.fps=0")
    assert "the recordings have 30 to 60 frames a second, and preprocess.fps = 0 leaves them so" in kept.stderr
    assert "frames a second, and preprocess.fps = 0" not in call("-w", tmp_path, "preprocess").stderr


def test_a_rate_that_no_clip_of_the_training_has_is_told(recording: Path) -> None:
    file = ClipSource(str(recording), recording.stat().st_size)
    read = ClipReader(Reading(KINECT, fps=60, to_fps=0)).read(RawPart(file))
    kept = Treatment(Reading(KINECT, to_fps=0), "shift-gcn", 30, fps=(28.0, 30.0))
    assert "has 60 frames a second, where those of the training have 28 to 30" in _other_rate(read.fps, kept)[0]
    assert _other_rate(30.0, kept) == _other_rate(60.0, replace(kept, fps=None)) == ()


def test_predict_reads_clips_as_those_of_the_run_whatever_config_toml_says_since(
    tiny_run: TinyRun, tmp_path: Path
) -> None:
    work = Path(shutil.copytree(tiny_run.root, tmp_path / "work", symlinks=True))
    clip = next((work / "raw" / "setup1").glob("*R001*"))
    before = call("-w", work, "predict", clip, "--json")
    config = work / "config.toml"
    config.write_text(config.read_text("utf-8").replace("fps = 10  #", "mirrored = true\nfps = 20  #"), "utf-8")
    assert "mirrored = true" in config.read_text("utf-8")
    after = call("-w", work, "predict", clip, "--json")
    assert after.exit_code == 0, after.output
    assert after.stdout == before.stdout
    assert "resampled" in call("-w", work, "predict", clip, "--json", "--fps", 20).stdout
