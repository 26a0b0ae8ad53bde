"""Recordings in JSON: the forms that programs write, absent bodies and joints, and what is refused."""

import io
import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data.errors import RawFileError
from data.layouts.layout import Layout, load_layout
from data.recordings.json_file import MAX_FRAME_BYTES, JsonEvents
from data.recordings.readers import open_recording
from data.recordings.recording import FrameBlock, Recording
from tests.data.layouts.made_recordings import person, points_of, recording_of
from tests.shared.mutations import cut, flip_bits, splice

KINECT, MEDIAPIPE = load_layout("kinect-v2-json"), load_layout("mediapipe")
JOINTS = [{"cameraX": 1.0, "cameraY": 2, "cameraZ": 3}] * 25


def opened(value: Any, layout: Layout = KINECT) -> Recording:
    content = value if isinstance(value, bytes) else json.dumps(value).encode()
    return open_recording(io.BytesIO(content), "file.json", layout)


def read(value: Any, layout: Layout = KINECT) -> FrameBlock:
    (block,) = opened(value, layout).blocks
    return block


def landmarks(**more: Any) -> dict[str, Any]:
    return {"keypoints3D": [{"x": 1, "y": 2, "z": 3, "name": name} for name in MEDIAPIPE.joints], **more}


def test_a_frame_is_a_body_a_list_of_bodies_or_holds_one() -> None:
    body = {"trackingId": "7", "joints": JOINTS}
    for frame in (body, [body], {"bodies": [body]}):
        assert read([frame]).points[0, 0, 5].tolist() == [1, 2, 3]


def test_a_byte_order_mark_is_passed_over() -> None:
    assert read(b"\xef\xbb\xbf" + json.dumps([{"joints": JOINTS}]).encode()).points.shape == (1, 1, 25, 3)


def test_untracked_bodies_and_null_joints_are_absent() -> None:
    bodies = [{"tracked": False}, {"tracked": True, "joints": [None, *JOINTS[1:]]}, None, {"joints": []}]
    block = read([{"bodies": bodies}, {"bodies": []}])
    assert block.points.shape == (2, 1, 25, 3)
    assert np.isnan(block.points[0, 0, 0]).all()
    assert np.isfinite(block.points[0, 0, 1:]).all()
    assert np.isnan(block.points[1]).all()


def test_records_of_one_time_are_one_frame() -> None:
    records = [
        {"trackingId": body, "joints": JOINTS, "record_timestamp": time}
        for body, time in [("a", 0), ("b", 0), ("b", 33), ("a", 33), ("a", 66), ("a", 66)]
    ]
    block = read(records)
    assert block.times_s is not None
    assert block.times_s.tolist() == [0, 0.033, 0.066, 0.066]
    assert (~np.isnan(block.points[:, :, 0, 0])).tolist() == [[True, True], [True, True], [True, False], [True, False]]


def test_the_frame_rate_stands_before_the_frames() -> None:
    frames = [landmarks(frameNum=3), landmarks(frameNum=4)]
    value = {"meta": {"deep": [[1, {"frames": [2]}]]}, "ticksPerSecond": 25, "frames": frames, "after": [1]}
    assert opened(value, MEDIAPIPE).fps == 25
    assert read(value, MEDIAPIPE).number.tolist() == [3, 4]
    assert opened(frames, MEDIAPIPE).fps is None


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (b"", "not whole JSON"),
        (b"{}", "found neither"),
        (b"7", "found neither"),
        ([], "holds no frame"),
        ({"clips": []}, 'found keys "clips"'),
        ([7], r"frame 0 \(from 0\): expected a body with \"joints\", found int"),
        ([{"joints": JOINTS}, {"points": 1}], r"frame 1 \(from 0\).*found keys points"),
        ([{"joints": JOINTS[1:]}], "kinect-v2-json has 25 joints, found 24"),
        ([{"joints": "x" * 25}], "found str"),
        ([{"joints": [{"cameraX": 1, "cameraY": 2}] * 25}], "joint 0: expected the numbers cameraX, cameraY, cameraZ"),
        ([{"joints": [{"cameraX": "1", "cameraY": 2, "cameraZ": 3}] * 25}], "joint 0: expected the numbers"),
        ([{"joints": [{"cameraX": True, "cameraY": 2, "cameraZ": 3}] * 25}], "joint 0: expected the numbers"),
        ([{"joints": [{"cameraX": 1e39, "cameraY": 2, "cameraZ": 3}] * 25}], "too large for a float32"),
        ([{"joints": [{"cameraX": 10**17, "cameraY": 2, "cameraZ": 3}] * 25}], "too large"),
        ([{"joints": [{"cameraX": float("nan"), "cameraY": 2, "cameraZ": 3}] * 25}], "not whole JSON"),
        ([{"bodies": [{"trackingId": 1, "joints": JOINTS}] * 2}], 'body "1" stands twice'),
        ([{"joints": JOINTS, "record_timestamp": "now"}], "record_timestamp: expected a number, found now"),
        ([{"joints": JOINTS, "record_timestamp": t} for t in (5, 4)], "time is 0.004 after 0.005"),
    ],
)
def test_what_is_wrong_is_said(value: Any, said: str) -> None:
    with pytest.raises(RawFileError, match=said):
        read(value)


def test_joints_in_another_order_are_refused() -> None:
    frame = landmarks()
    frame["keypoints3D"][11], frame["keypoints3D"][12] = frame["keypoints3D"][12], frame["keypoints3D"][11]
    with pytest.raises(RawFileError, match='joint 11 is "right_shoulder", in mediapipe it is "left_shoulder"'):
        read([frame], MEDIAPIPE)
    with pytest.raises(RawFileError, match="ticksPerSecond is 0"):
        read({"ticksPerSecond": 0, "frames": [landmarks()]}, MEDIAPIPE)


class _Endless(io.RawIOBase):
    """A list of frames, or one value, without end."""

    def __init__(self, start: bytes, more: bytes) -> None:
        self._start, self._more = start, more * (1 + (1 << 16) // len(more))
        self.given = 0

    def read(self, size: int | None = -1, /) -> bytes:
        if not size:  # ijson asks whether the stream has bytes or text
            return b""
        content, self._start = self._start or self._more, b""
        self.given += len(content)
        return content

    def seekable(self) -> bool:
        return True


@pytest.mark.parametrize("more", [b"[", b'{"a":', b"1,", b'"', b"9", b" "])
@pytest.mark.parametrize("start", [b"[[1,", b'{"a":[1,'])
def test_a_value_without_end_is_refused(start: bytes, more: bytes) -> None:
    if start.startswith(b"{") and more == b"1,":
        return  # a list that is passed over may be long
    stream = _Endless(start, more)
    with pytest.raises(RawFileError, match=r"deeper than|a frame takes far less|not whole JSON"):
        list(open_recording(stream, "file", KINECT).blocks)  # type: ignore[arg-type]
    assert stream.given < 4 * MAX_FRAME_BYTES


def test_frames_without_end_are_read_one_block_at_a_time() -> None:
    frame = json.dumps({"joints": JOINTS}).encode() + b","
    stream = _Endless(b"[", frame)
    blocks = open_recording(stream, "file", KINECT).blocks  # type: ignore[arg-type]
    assert [len(next(blocks).points) for _ in range(3)] == [512, 512, 512]
    assert stream.given < 1600 * len(frame) + (1 << 20)


json_values = st.recursive(
    st.none() | st.booleans() | st.floats(allow_nan=False, allow_infinity=False) | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=20,
)


@given(json_values)
def test_values_are_those_of_the_json_module(value: Any) -> None:
    content = json.dumps(value).encode()
    try:
        events = JsonEvents(io.BytesIO(content), "file")
        found = events.value(*events.next())
    except RawFileError:
        assert any(len(digits) > 15 for digits in content.decode().replace("-", " ").split()) or b"0000" in content
        return
    assert found == json.loads(content)


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(["kinect-v2-json", "mediapipe"]), st.integers(0, 2**32))
def test_broken_files_are_read_or_refused(name: str, seed: int) -> None:
    layout = load_layout(name)
    rng = np.random.default_rng(seed)
    content = recording_of(layout, points_of(person(4), layout))
    content = (cut, flip_bits, splice)[int(rng.integers(3))](content, rng)
    try:
        blocks = list(open_recording(io.BytesIO(content), "file", layout).blocks)
    except RawFileError:
        return
    assert not any(np.isinf(block.points).any() for block in blocks)
