"""fsvae-pipe predict --window: when each action of a recording is shown, in every form."""

import csv
import io
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result
from numpy.typing import NDArray

from data.clip_name import ClipName
from data.clips.span import Frames
from data.errors import DataError
from data.raw.skeleton_file import format_clip
from pipeline.cli.main import main
from pipeline.demo.made_clips import clip_joints
from pipeline.messages.errors import PipelineError
from pipeline.predict.action_bank import NONE_OF_THESE
from pipeline.predict.answers import Answer
from pipeline.predict.recognizer import Recognizer
from pipeline.predict.thinned import Thinned
from tests.conftest import TINY, TinyRun
from tests.shared.chromium import CHROMIUM, MISSING, Page

CHANGE_S = 9.0  # when the made recording's first action ends; the tiny run's clips have 10 frames a second


@pytest.fixture(scope="module")
def recognizer(tiny_run: TinyRun) -> Recognizer:
    return Recognizer.load(tiny_run.root / "runs" / "default")


@pytest.fixture(scope="module")
def joints() -> NDArray[np.float32]:
    """Two made actions one after another, (180, 1, 25, 3): the right arm swings, then the left arm circles."""
    made = replace(TINY, frames=(90, 90))
    parts = [clip_joints(ClipName(1, 2, 1, 5, action), made, np.random.default_rng(3)) for action in (2, 6)]
    return np.concatenate(parts).astype(np.float32)[:, None]


@pytest.fixture(scope="module")
def recording(joints: NDArray[np.float32], tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("recording") / "S001C001P001R001A001.skeleton"
    path.write_bytes(format_clip(joints))
    return path


def predict(run: TinyRun, *arguments: str | Path) -> Result:
    return CliRunner().invoke(main, ["-w", str(run.root), "predict", *map(str, arguments)])


def test_two_actions_are_told_apart_and_when_they_change(recognizer: Recognizer, joints: NDArray[np.float32]) -> None:
    found = recognizer.timeline(joints, window_s=1.5, mode="zsl")
    assert [segment.action.name for segment in found.segments] == ["A001", "A007"]
    first, second = found.segments
    assert (first.start_s, second.end_s) == (0, found.duration_s) == (0, 18)
    assert first.end_s == second.start_s == pytest.approx(CHANGE_S, abs=1.5)
    assert all(0.5 < segment.probability <= 1 for segment in found.segments)
    assert (found.windows, found.unanswered) == (45, 0)


def test_a_recording_of_one_window_is_answered_as_a_clip(recognizer: Recognizer, joints: NDArray[np.float32]) -> None:
    clip = joints[:15]
    (answer,) = recognizer.predict(clip, mode="zsl")
    found = recognizer.timeline(clip, window_s=6, mode="zsl")
    assert isinstance(answer, Answer)
    (segment,) = found.segments
    assert (segment.start_s, segment.end_s, found.windows) == (0, 1.5, 1)
    assert segment.action == answer.best
    assert segment.probability == pytest.approx(answer.ranked[0].probability, abs=1e-6)


def test_nothing_is_said_where_no_one_is(recognizer: Recognizer, joints: NDArray[np.float32]) -> None:
    away = joints.copy()
    away[60:120] = 0
    found = recognizer.timeline(away, window_s=1.5, mode="zsl")
    assert found.unanswered > 10
    said = [(segment.start_s, segment.end_s) for segment in found.segments]
    assert all(end_s <= 7.5 or start_s >= 10.5 for start_s, end_s in said)
    with pytest.raises(DataError, match=r"no window of it shows a body for half of its time"):
        recognizer.timeline(np.where(np.arange(180)[:, None, None, None] < 2, joints, 0), window_s=6)


def test_a_window_of_none_of_the_actions_is_told(recognizer: Recognizer, joints: NDArray[np.float32]) -> None:
    told = []
    for clip in np.split(joints, 12)[::5]:
        (answer,) = recognizer.predict(clip, mode="zsl", reject=0.99)
        (segment,) = recognizer.timeline(clip, window_s=6, mode="zsl", reject=0.99).segments
        assert isinstance(answer, Answer)
        assert segment.action == (NONE_OF_THESE if answer.none_of_these else answer.best)
        assert segment.probability > 0.9 or not answer.none_of_these
        told.append(answer.none_of_these)
    assert set(told) == {False, True}


def test_every_form_says_when_none_of_the_actions_is_shown(tiny_run: TinyRun, recording: Path, tmp_path: Path) -> None:
    options = ("--window", "1.5s", "--stride", "1.5s", "--mode", "zsl", "--reject", "0.99")
    page = tmp_path / "page.html"
    done = predict(tiny_run, recording, *options, "--page", page, "--json")
    assert done.exit_code == 0, done.output
    segments = json.loads(done.stdout)["segments"]
    none = [part for part in segments if part["kind"] == "none"]
    assert {(part["action"], part["label"]) for part in none} == {("", "none of these")}
    length_s = sum(part["end_s"] - part["start_s"] for part in none)
    assert f"{length_s:.1f} of 18.0 s show none of these actions (--reject 0.99)" in done.stderr
    assert "<span>none of these</span>" in page.read_text("utf-8")
    assert predict(tiny_run, recording, *options).stdout.count("none of these ") == len(none)
    rows = csv.DictReader(io.StringIO(predict(tiny_run, recording, *options, "--csv").stdout))
    assert [row["label"] for row in rows] == [part["label"] for part in segments]


def test_what_timeline_refuses(recognizer: Recognizer, joints: NDArray[np.float32], tiny_run: TinyRun) -> None:
    with pytest.raises(DataError, match="a window of 0 s"):
        recognizer.timeline(joints, window_s=0)
    with pytest.raises(DataError, match="a stride of 3 s with windows of 2 s"):
        recognizer.timeline(joints, window_s=2, stride_s=3)
    with pytest.raises(PipelineError, match="recordings, where one is wanted"):
        recognizer.timeline(tiny_run.root / "raw" / "setup2.zip")
    with pytest.raises(DataError, match="missing"):
        recognizer.timeline("missing.skeleton")


def test_json_csv_and_table_say_the_same(tiny_run: TinyRun, recording: Path) -> None:
    broken = next((tiny_run.root / "raw" / "setup1").glob("*R091*"))
    options = ("--window", "1.5s", "--stride", "0.75", "--mode", "zsl")
    done = predict(tiny_run, recording, broken, *options, "--json")
    assert done.exit_code == 0, done.output
    found, unread = map(json.loads, done.stdout.splitlines())
    assert set(unread) == {"clip", "error"}
    assert {key: found[key] for key in ("clip", "duration_s", "windows", "unanswered")} == {
        "clip": str(recording),
        "duration_s": 18.0,
        "windows": 23,
        "unanswered": 0,
    }
    assert set(found["segments"][0]) == {"start_s", "end_s", "action", "label", "kind", "probability"}
    assert "1 of 2 clips could not be read" in done.stderr

    rows = list(csv.DictReader(io.StringIO(predict(tiny_run, recording, broken, *options, "--csv").stdout)))
    assert rows[-1]["clip"] == str(broken)
    assert rows[-1]["error"]
    for row, segment in zip(rows[:-1], found["segments"], strict=True):
        assert float(row["start_s"]) == segment["start_s"]
        assert float(row["probability"]) == pytest.approx(segment["probability"], abs=1e-6)
        assert (row["clip"], row["action"], row["label"]) == (str(recording), segment["action"], segment["label"])

    table = predict(tiny_run, recording, broken, *options).stdout
    lines = table.splitlines()
    assert lines[0].split() == ["recording", "from", "to", "action", "probability"]
    assert lines[1].split()[:5] == [recording.stem, "0.00", "s", f"{found['segments'][0]['end_s']:.2f}", "s"]
    assert sum(" s  " in line for line in lines) == len(found["segments"])
    assert f"{broken.stem}: not read: line" in table


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--window", "0"], "a window of 0 s, where 0.1 s to 60 s is wanted"),
        (["--window", "2s", "--stride", "3s"], "a stride of 3 s with windows of 2 s"),
        (["--window", "two"], "'two' is no number of seconds; give one such as 2 or 0.5s"),
        (["--stride", "1"], "--stride belongs to a timeline; give --window too"),
        (["--page", "x.html"], "--page belongs to a timeline; give --window too"),
        (["--window", "2", "--page", "x.txt"], "--page x.txt: the name must end in .html"),
        (["--window", "2", "--page", "no/x.html"], "--page no/x.html: there is no folder no; make it"),
        (["--window", "2", "--top", "3"], "--top counts the actions of a clip"),
    ],
)
def test_impossible_options_are_wrong_usage(
    tiny_run: TinyRun, recording: Path, options: list[str], message: str
) -> None:
    done = predict(tiny_run, recording, *options)
    assert done.exit_code == 2
    assert message in " ".join(done.stderr.split())


def test_thinned_keeps_a_bounded_number_of_frames() -> None:
    thinned = Thinned(most_body_frames=100)
    for first in range(0, 1000, 50):
        number = np.arange(first, first + 50)
        joints = np.broadcast_to(number[:, None, None, None] + 1, (50, 1, 25, 3)).astype(np.float32)
        thinned.add(Frames(joints, number / 30, number, 30.0))
    moving = thinned.moving("folder/long.csv", 1000 / 30)
    assert 50 < len(moving.joints) <= 100
    assert moving.name == "long.csv"
    assert "thinned out to 1.88 frames a second, of 30" in moving.caption
    times_s = np.arange(len(moving.joints)) / moving.frames_per_second
    np.testing.assert_allclose(moving.joints[:, 0, 0, 0] - 1, times_s * 30)


def test_thinned_holds_a_frame_over_short_gaps_alone() -> None:
    number = np.r_[0:10, 14:20, 60:70]
    thinned = Thinned()
    thinned.add(Frames(np.ones((26, 1, 25, 3), np.float32), number / 30, number, 30.0))
    shown = np.asarray(thinned.moving("made", 70 / 30).present.any(axis=(1, 2)))
    assert shown[:34].all()
    assert not shown[36:60].any()
    assert shown[60:].all()


@pytest.mark.slow
@pytest.mark.skipif(CHROMIUM is None, reason=MISSING)
def test_the_page_plays_and_its_bars_go_to_their_time(tiny_run: TinyRun, recording: Path, tmp_path: Path) -> None:
    file = tmp_path / "timeline.html"
    done = predict(tiny_run, recording, "--window", "1.5", "--mode", "zsl", "--page", file, "--json")
    assert done.exit_code == 0, done.output
    assert f"wrote {file}" in done.stderr.replace("\n", "")
    (found,) = map(json.loads, done.stdout.splitlines())
    second = found["segments"][1]
    with Page(tmp_path / "profile") as page:
        page.open(file)
        page.until("players[0].playing && players[0].frame > 2")
        assert page.run("document.querySelectorAll('.track button').length") == len(found["segments"])
        page.run("document.querySelectorAll('.track button')[1].click()")
        page.until("document.querySelector('.track button.shown')?.dataset.start !== '0.0'")
        assert page.run("players[0].playing") is False
        assert page.run("players[0].frame / players[0].clip.fps") == pytest.approx(second["start_s"], abs=1 / 10)
        assert second["label"] in page.run("document.querySelector('.readout').textContent")
        page.run("document.querySelector('td button').click()")
        assert page.run("players[0].frame") == 0
        for width in (1280, 390):
            page.open(file, width=width, dark=width == 390)
            assert page.run("document.documentElement.scrollWidth") <= width
        assert page.problems == []
        assert {url.partition(":")[0] for url in page.requests} == {"file"}
        assert len(set(page.requests)) == 1
