"""One clip of a recording, as the recipes get it, and which file holds it."""

import io
import json
import pickle
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from data.clip_name import ClipName
from data.clips.span import Span
from data.errors import DataError, RawFileError
from data.joints import JOINT_NAMES
from data.layouts.layout import load_layout
from data.raw.clip_source import ClipSource
from data.raw.skeleton_file import MAX_BODY_FRAMES, format_clip, parse_clip
from data.recordings.find_parts import RawClips, find_parts, fingerprint_manifest, first_files
from data.recordings.read_clip import ClipReader, RawPart, Reading
from tests.data.layouts.made_recordings import person, points_of, recording_of
from tests.shared.made_skeletons import moving_clip, write_folder, write_zip

CSV = load_layout("csv")


def table(joints: NDArray[np.float32], first: int = 0) -> bytes:
    """A file of the layout `csv` of joints (T, 25, 3), whose frames are numbered from `first`."""
    columns = [f"{name} {axis}" for name in JOINT_NAMES for axis in "xyz"]
    lines = [",".join(["frame", *columns])]
    for number, frame in enumerate(joints.reshape(len(joints), -1), start=first):
        lines.append(",".join([str(number), *(f"{value:.6f}" for value in frame)]))
    return ("\n".join(lines) + "\n").encode()


def file_of(folder: Path, content: bytes, name: str = "walk.csv") -> RawPart:
    path = folder / name
    path.write_bytes(content)
    return RawPart(ClipSource(str(path), len(content)))


def test_ntu_clips_at_the_wanted_rate_are_read_bit_for_bit(tmp_path: Path) -> None:
    content = format_clip(moving_clip(np.random.default_rng(1), 12, 2))
    part = file_of(tmp_path, content, "S001C001P001R001A001.skeleton")
    read = ClipReader(Reading()).read(part)
    wanted = parse_clip(content, str(part))
    assert np.array_equal(read.clip.rows, wanted.rows)
    assert np.array_equal(read.clip.row_place, wanted.row_place)
    assert (read.fps, read.notes) == (30, ())


def test_ntu_clips_of_another_rate_or_a_mirrored_film(tmp_path: Path) -> None:
    joints = person(31)[:, None]
    part = file_of(tmp_path, format_clip(joints), "S001C001P001R001A001.skeleton")
    slow = ClipReader(Reading(fps=15)).read(part)
    assert slow.clip.frames == 61
    assert [str(note) for note in slow.notes] == ["resampled to 30 frames a second (from 15)"]
    np.testing.assert_allclose(slow.clip.joints[::2], joints, atol=1e-6)
    mirrored = ClipReader(Reading(mirrored=True)).read(part).clip.joints
    left, right = JOINT_NAMES.index("left_wrist"), JOINT_NAMES.index("right_wrist")
    np.testing.assert_array_equal(mirrored[:, :, left, 0], -joints[:, :, right, 0])


def test_a_span_is_read_by_frame_numbers_or_seconds_of_the_recording(tmp_path: Path) -> None:
    joints = person(90)
    part = file_of(tmp_path, table(joints, first=100))
    reader = ClipReader(Reading(CSV, fps=30))
    whole = reader.read(part).clip.joints
    by_number = reader.read(replace(part, span=Span(110, 119))).clip
    by_second = reader.read(replace(part, span=Span(1, 1.5, in_seconds=True))).clip
    assert (by_number.frames, by_second.frames) == (10, 16)
    shift = by_number.joints[0, 0, 3] - whole[10, 0, 3]  # the same frames, turned to the camera by themselves
    assert np.abs(shift).max() < 0.2
    with pytest.raises(RawFileError, match=r"walk.csv \(frames 5 to 9\): .* frames go from 100 to 189"):
        reader.read(replace(part, span=Span(5, 9)))
    with pytest.raises(RawFileError, match=r"go from 0 to 2.96667 s; none is in this span"):
        reader.read(replace(part, span=Span(8, 9, in_seconds=True)))


def test_a_span_that_goes_on_after_the_recording_is_said(tmp_path: Path) -> None:
    part = file_of(tmp_path, table(person(90)))
    reader = ClipReader(Reading(CSV, fps=30))
    what = "whose end, as the manifest says, lies after that of the recording"
    for span, said in (
        (Span(80, 120), [f"{what} (frame 120 after frame 89)"]),
        (Span(80, 89), []),
        (Span(2, 3.5, in_seconds=True), [f"{what} (3.5 s after 3 s)"]),
        (Span(2, 3, in_seconds=True), []),
        (Span(2, float("inf"), in_seconds=True), []),
    ):
        assert [str(note) for note in reader.read(replace(part, span=span)).notes] == said
    ntu = file_of(tmp_path, format_clip(person(9)[:, None]), "a.skeleton")
    assert len(ClipReader(Reading()).read(replace(ntu, span=Span(5, 9))).notes) == 1


@pytest.mark.parametrize("unit_s", [0.001, 0.000001, 1000])
def test_times_in_another_unit_are_refused(tmp_path: Path, unit_s: float) -> None:
    header, *lines = table(person(5)).decode().splitlines()
    timed = [header.replace("frame", "time_s")]
    timed += [f"{number / 30 / unit_s},{line.partition(',')[2]}" for number, line in enumerate(lines)]
    part = file_of(tmp_path, "\n".join(timed).encode())
    with pytest.raises(RawFileError, match=r"walk.csv: by its times, .* s pass from frame to frame"):
        ClipReader(Reading(CSV)).read(part)
    assert ClipReader(Reading(CSV, fps=30)).read(part).clip.frames == 5


def test_times_outweigh_the_rate_that_a_file_tells(tmp_path: Path) -> None:
    layout = load_layout("mediapipe")
    assert layout.reader
    timed = layout.model_copy(update={"reader": layout.reader.model_copy(update={"time": "t"})})
    frames = json.loads(recording_of(layout, points_of(person(9), layout)))
    for number, frame in enumerate(frames["frames"]):
        frame["t"] = number / 15
    part = file_of(tmp_path, json.dumps(frames).encode(), "a.json")
    assert ClipReader(Reading(layout)).read(part).fps == 30
    read = ClipReader(Reading(timed)).read(part)
    assert read.fps == pytest.approx(15)
    assert read.clip.frames == 17


def test_a_recording_longer_than_a_clip_may_be_is_read_by_its_spans(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("data.recordings.read_frames.MAX_BODY_FRAMES", 600)
    assert MAX_BODY_FRAMES > 600
    part = file_of(tmp_path, table(person(700)))
    reader = ClipReader(Reading(CSV, fps=30))
    with pytest.raises(RawFileError, match=r"more than 600 frames times bodies, .* name the parts .* in a manifest"):
        reader.read(part)
    assert reader.read(replace(part, span=Span(650, 660))).clip.frames == 11


def test_a_recording_without_a_frame_rate_asks_for_one(tmp_path: Path) -> None:
    part = file_of(tmp_path, table(person(5)))
    unknown = CSV.model_copy(update={"fps": 0.0})
    with pytest.raises(RawFileError, match=r"tells the frame rate; give it with --fps, as dataset.fps"):
        ClipReader(Reading(unknown)).read(part)
    assert ClipReader(Reading(unknown)).read(replace(part, fps=60)).fps == 60


def test_a_recording_without_a_body_is_refused(tmp_path: Path) -> None:
    part = file_of(tmp_path, table(np.zeros((4, 25, 3), np.float32)))
    with pytest.raises(RawFileError, match=r"walk.csv: none of its .* holds a body"):
        ClipReader(Reading(CSV, fps=30)).read(part)


def test_a_recording_may_hold_as_many_bodies_as_a_sensor_of_its_kind_tracks(tmp_path: Path) -> None:
    header, *lines = table(person(5)).decode().splitlines()
    rows = [f"{body},{line}" for line in lines for body in range(10)]
    part = file_of(tmp_path, "\n".join([f"body,{header}", *rows]).encode())
    clip = ClipReader(Reading(CSV, fps=30)).read(part).clip
    assert (clip.frames, len(clip.body_ids), len(clip.rows)) == (5, 10, 50)


def test_files_are_found_beside_the_manifest_in_folders_and_in_archives(tmp_path: Path) -> None:
    content = table(person(5))
    write_folder(tmp_path / "raw", {"day1/a.csv": content, "day2/a.csv": content})
    write_zip(tmp_path / "more.zip", {"x/b.csv": content})
    manifest = write_folder(tmp_path, {"beside.csv": content}) / "clips.csv"
    raw = [tmp_path / "raw", tmp_path / "more.zip"]
    manifest.write_text("file,action\nday2/a.csv,1\nb.csv,2\nbeside.csv,3\nday1/a.csv,1\n", "utf-8")
    clips = RawClips(raw, CSV, manifest)
    parts, misnamed = find_parts(clips)
    assert misnamed == []
    shown = [(str(name), str(part).removeprefix(f"{tmp_path}/")) for name, part in parts]
    assert shown == [
        ("S001C001P001R001A001", "raw/day2/a.csv"),
        ("S001C001P001R001A002", "more.zip/x/b.csv"),
        ("S001C001P001R001A003", "beside.csv"),
        ("S001C001P001R002A001", "raw/day1/a.csv"),
    ]
    assert str(first_files(raw, manifest)[0]) == str(tmp_path / "raw/day2/a.csv")
    before = fingerprint_manifest(clips)
    (tmp_path / "beside.csv").write_bytes(content + b"\n")
    assert fingerprint_manifest(clips) != before
    manifest.write_text("file,action\na.csv,1\n", "utf-8")
    with pytest.raises(DataError, match=r"line 2: a.csv may be .*day.*a.csv and .*; name more of its folders"):
        find_parts(clips)
    manifest.write_text("file,action\nc.csv,1\n", "utf-8")
    with pytest.raises(DataError, match=r"line 2: c.csv is neither in dataset.raw nor .*beside the manifest"):
        find_parts(clips)


def test_a_file_beside_the_manifest_comes_before_one_of_its_name_elsewhere(tmp_path: Path) -> None:
    content = table(person(5))
    write_folder(tmp_path / "raw", {"a.csv": content, "old/a.csv": content, "old/b.csv": content})
    manifest = tmp_path / "raw" / "clips.csv"
    manifest.write_text("file,action\na.csv,1\nold\\b.csv,2\nold\\a.csv,3\n", "utf-8")
    for raw in ([], [tmp_path / "raw"], [tmp_path / "raw" / "old"]):
        parts, _ = find_parts(RawClips(raw, CSV, manifest))
        assert [Path(part.file.path).relative_to(tmp_path).as_posix() for _, part in parts] == [
            "raw/a.csv", "raw/old/b.csv", "raw/old/a.csv"
        ]  # fmt: skip


def test_files_of_an_archive_beside_the_manifest_are_found(tmp_path: Path) -> None:
    write_zip(tmp_path / "day 1.zip", {"x/b.csv": table(person(5)), "y/b.csv": table(person(5))})
    manifest = tmp_path / "clips.csv"
    manifest.write_text("file,action\nday 1.zip/x/b.csv,1\nday 1.zip/y/b.csv,2\n", "utf-8")
    for raw in ([], [tmp_path / "day 1.zip"]):
        clips = RawClips(raw, CSV, manifest)
        parts, _ = find_parts(clips)
        assert [str(part) for _, part in parts] == [f"{tmp_path}/day 1.zip/{folder}/b.csv" for folder in "xy"]
    before = fingerprint_manifest(RawClips([], CSV, manifest))
    write_zip(tmp_path / "day 1.zip", {"x/b.csv": table(person(6)), "y/b.csv": table(person(5))})
    assert fingerprint_manifest(RawClips([], CSV, manifest)) != before
    assert str(first_files([tmp_path / "day 1.zip" / "x" / "b.csv"], None)[0]) == f"{tmp_path}/day 1.zip/x/b.csv"


def test_files_with_names_of_no_clip_ask_for_a_manifest(tmp_path: Path) -> None:
    write_folder(tmp_path, {"walk.csv": table(person(5))})
    with pytest.raises(DataError, match=r"none of 1 raw files has a clip's name .*`fsvae-pipe manifest` begins"):
        find_parts(RawClips([tmp_path], CSV))


def test_clips_of_one_pickle_are_found_by_their_names_or_parts(tmp_path: Path) -> None:
    layout = load_layout("pyskl")
    clip = person(6)[None]  # (M, T, V, 3)
    annotations = [
        {"frame_dir": name, "label": 0, "keypoint": clip + number, "total_frames": 6}
        for number, name in enumerate(["S001C001P001R001A002", "S001C001P001R001A001", "walk_1"])
    ]
    stream = io.BytesIO()
    pickle.dump({"annotations": annotations, "split": {}}, stream)
    path = tmp_path / "clips.pkl"
    path.write_bytes(stream.getvalue())
    parts, misnamed = find_parts(RawClips([path], layout))
    assert [str(name) for name, _ in parts] == ["S001C001P001R001A001", "S001C001P001R001A002"]
    assert [error.file for error in misnamed] == [f"{path}/walk_1"]
    reader = ClipReader(Reading(layout, fps=30))
    heights = [reader.read(part).clip.joints[0, 0, 3, 1] for _, part in parts]
    assert heights[0] == pytest.approx(heights[1] + 1)
    manifest = tmp_path / "clips.csv"
    manifest.write_text("file,part,action\nclips.pkl,walk_1,9\n", "utf-8")
    ((name, part),) = find_parts(RawClips([], layout, manifest))[0]
    assert (name, str(part)) == (ClipName(1, 1, 1, 1, 9), f"{path}/walk_1")
    manifest.write_text("file,part,action\nclips.pkl,run_1,9\n", "utf-8")
    with pytest.raises(DataError, match=r"line 2: clips.pkl holds no clip run_1"):
        find_parts(RawClips([], layout, manifest))
