"""A recording of any length is cut into windows that overlap, each a clip of its own."""

import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data.errors import DataError, RawFileError
from data.layouts.layout import load_layout
from data.raw.clip_of_joints import raw_clip
from data.raw.clip_source import ClipSource
from data.raw.skeleton_file import format_clip
from data.recordings.read_clip import RawPart, Reading
from data.recordings.windows import Windows, read_windows
from tests.data.layouts.made_recordings import person
from tests.data.recordings.test_read_clip import file_of, table
from tests.shared.made_skeletons import moving_clip

CSV = Reading(load_layout("csv"), fps=30)
UNTURNED = Reading(load_layout("csv").model_copy(update={"turned": False}), fps=30)


def spans(frames: int, window_s: float, stride_s: float) -> list[tuple[float, float]]:
    clip = raw_clip(person(frames)[:, None], "made")
    return [(window.start_s, window.end_s) for window in read_windows(clip, Reading(), Windows(window_s, stride_s))]


def test_the_last_window_ends_with_the_recording() -> None:
    assert spans(90, 1, 0.5) == [(0, 1), (0.5, 1.5), (1, 2), (1.5, 2.5), (2, 3)]
    assert np.array(spans(96, 1, 1)) == pytest.approx(np.array([(0, 1), (1, 2), (2, 3), (2.2, 3.2)]))


def test_a_recording_shorter_than_a_window_is_one_window() -> None:
    assert spans(15, 1, 0.5) == [(0, 0.5)]
    assert spans(1, 1, 0.5) == [(0, 1 / 30)]


@settings(deadline=None)
@given(st.integers(1, 120), st.integers(3, 90), st.data())
def test_windows_cover_a_recording_without_gaps(frames: int, window: int, data: st.DataObject) -> None:
    stride = data.draw(st.integers(1, window))
    found = spans(frames, window / 30, stride / 30)
    starts, ends = np.array(found).T
    assert starts[0] == 0
    assert ends[-1] == pytest.approx(frames / 30)
    assert (np.diff(starts) > 0).all()
    assert (starts[1:] <= ends[:-1] + 1e-9).all()
    assert ends - starts == pytest.approx(min(window, frames) / 30)


def test_a_window_holds_the_frames_of_its_time(tmp_path: Path) -> None:
    joints = person(1200)  # more than two blocks
    part = file_of(tmp_path, table(joints, first=100))
    found = list(read_windows(part, UNTURNED, Windows(2, 1)))
    assert len(found) == 39
    for window in (found[0], found[17], found[-1]):
        assert window.read is not None
        first = round(30 * window.start_s)
        np.testing.assert_allclose(window.read.clip.joints[:, 0], joints[first : first + 60], atol=1e-6)


def test_ntu_files_and_arrays_give_the_same_windows(tmp_path: Path) -> None:
    joints = moving_clip(np.random.default_rng(0), 50)
    part = file_of(tmp_path, format_clip(joints), "S001C001P001R001A001.skeleton")
    for own, other in zip(
        read_windows(part, Reading(), Windows(1, 0.5)),
        read_windows(raw_clip(joints, "array 1"), CSV, Windows(1, 0.5)),
        strict=True,
    ):
        assert own.read is not None
        assert other.read is not None
        np.testing.assert_array_equal(own.read.clip.joints, other.read.clip.joints)


def test_a_window_without_a_body_for_half_of_its_time_holds_nothing() -> None:
    joints = person(120)[:, None].copy()
    joints[45:90] = 0
    found = list(read_windows(raw_clip(joints, "made"), Reading(), Windows(1, 0.5)))
    assert [window.read is not None for window in found] == [True, True, True, False, False, True, True]


def test_memory_does_not_grow_with_the_recording(tmp_path: Path) -> None:
    def peak(frames: int) -> int:
        part = file_of(tmp_path, table(np.tile(person(100), (frames // 100, 1, 1))), f"{frames}.csv")
        tracemalloc.start()
        for _ in read_windows(part, CSV, Windows(2, 2)):
            pass
        most = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return most

    assert peak(4000) < 1.3 * peak(1000)


def test_a_recording_longer_than_a_clip_may_be_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("data.recordings.read_frames.MAX_BODY_FRAMES", 600)
    part = file_of(tmp_path, table(person(700)))
    assert len(list(read_windows(part, CSV, Windows(2, 2)))) == 12


@pytest.mark.parametrize(
    ("window_s", "stride_s", "message"),
    [
        (0, 0.5, r"a window of 0 s, where 0.1 s to 60 s is wanted"),
        (float("nan"), 0.5, "a window of nan s"),
        (61, 1, "a window of 61 s"),
        (2, 2.5, r"a stride of 2.5 s with windows of 2 s, where 0.02 s to 2 s is wanted: a longer one leaves parts"),
        (2, 0, "a stride of 0 s"),
        (2, float("nan"), "a stride of nan s"),
    ],
)
def test_impossible_windows(window_s: float, stride_s: float, message: str) -> None:
    with pytest.raises(DataError, match=message):
        Windows(window_s, stride_s)


def test_time_that_leaps_or_goes_back_is_refused(tmp_path: Path) -> None:
    lines = table(person(40)).decode().splitlines()

    def numbered(numbers: dict[int, int]) -> RawPart:
        changed = [f"{numbers.get(row, row)},{line.partition(',')[2]}" for row, line in enumerate(lines[1:])]
        return file_of(tmp_path, "\n".join([lines[0], *changed, ""]).encode())

    with pytest.raises(RawFileError, match=r"walk.csv, line 22: the frame's number is 5 after 19"):
        list(read_windows(numbered({20: 5}), CSV, Windows(1, 0.5)))
    with pytest.raises(RawFileError, match=r"walk.csv: it has more than 131072 windows; give a longer stride"):
        list(read_windows(numbered({39: 10_000_000}), CSV, Windows(1, 0.5)))


def test_a_file_that_breaks_off_raises_where(tmp_path: Path) -> None:
    content = table(person(90)) + b"90,1,2\n"
    path = tmp_path / "cut.csv"
    path.write_bytes(content)
    windows = read_windows(RawPart(ClipSource(str(path), len(content))), CSV, Windows(1, 0.5))
    with pytest.raises(RawFileError, match=r"cut.csv, line 92"):
        list(windows)
