"""Recordings in .npy, .npz and MATLAB files: shapes, names of arrays, times, and what is refused."""

import io
import struct
import tracemalloc
import zlib
from typing import Any

import numpy as np
import pytest
import scipy.io
from hypothesis import given, settings
from hypothesis import strategies as st

from data.errors import RawFileError
from data.layouts.layout import Layout, load_layout
from data.recordings.readers import open_recording
from data.recordings.recording import FrameBlock
from tests.data.layouts.made_recordings import person, points_of, recording_of
from tests.shared.mutations import cut, flip_bits, splice

SMPL, ZED = load_layout("smpl-22"), load_layout("zed-34")
POINTS = points_of(person(6), SMPL)


def read(content: bytes, layout: Layout = SMPL) -> FrameBlock:
    (block,) = open_recording(io.BytesIO(content), "file", layout).blocks
    return block


def npy(array: Any) -> bytes:
    stream = io.BytesIO()
    np.save(stream, array)
    return stream.getvalue()


def npz(**arrays: Any) -> bytes:
    stream = io.BytesIO()
    np.savez_compressed(stream, **arrays)
    return stream.getvalue()


def mat(packed: bool = True, **arrays: Any) -> bytes:
    stream = io.BytesIO()
    scipy.io.savemat(stream, arrays, do_compression=packed)
    return stream.getvalue()


@pytest.mark.parametrize("write", [npy, lambda points: npz(points=points), lambda points: mat(points=points)])
@pytest.mark.parametrize("dtype", ["f2", "<f4", ">f8"])
def test_shapes_and_types(write: Any, dtype: str) -> None:
    points = POINTS.astype(dtype)
    for given_points in (points, points[:, None], points.reshape(6, -1), np.asfortranarray(points)):
        assert np.array_equal(read(write(given_points)).points[:, 0], points.astype(np.float32))
    two = np.stack([points, points + 1], axis=1)
    assert np.array_equal(read(write(two)).points, two.astype(np.float32))


def test_names_and_times_in_archives() -> None:
    points = points_of(person(6), ZED)
    times = np.arange(6) * 33
    for content in (
        npz(other=points + 1, keypoints=points, timestampList=times, text="a"),
        mat(other=points + 1, keypoints=points, timestampList=times, text="a", struct={"a": 1}),
        mat(packed=False, keypoints=points, timestampList=times),
    ):
        block = read(content, ZED)
        assert np.allclose(block.points[:, 0], points)
        assert block.times_s == pytest.approx(times / 1000)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "neither .npy nor .npz nor a MATLAB file"),
        (b"MATLAB 7.3 MAT-file" + bytes(200), "version 7.3; save it again"),
        (npy(POINTS[..., :2]), "two-dimensional: lift them"),
        (npy(POINTS[:, :21]), r"shape \(6, 21, 3\), smpl-22 has \(frames, 22, 3\)"),
        (npy(POINTS[:0]), r"shape \(0, 22, 3\)"),
        (npy(np.zeros((2, 5, 22, 3))), r"shape \(2, 5, 22, 3\)"),
        (npy(POINTS.astype(str)), "expected numbers"),
        (npy(np.where(POINTS > 0, np.inf, POINTS)), r"frame 0 \(from 0\): a coordinate is infinite"),
        (npy(POINTS) + b"x", "holds more bytes"),
        (npy(POINTS)[:-1], "the file is cut"),
        (npz(a=POINTS, b=POINTS), r"expected one array .* found a \(6, 22, 3\), b"),
        (npz(a=1), r"found a \(\)"),
        (npz(a=POINTS)[:-30], "not a whole .npz"),
        (mat(a="text"), "found no array of numbers"),
        (mat(a=POINTS)[:-9], "cut"),
        (
            npy(POINTS).replace(b"(6, 22, 3)", b"(9999999, 22, 3)").replace(b" " * 7 + b"\n", b"  \n"),
            "at most|cut|not a",
        ),
    ],
)
def test_what_is_wrong_is_said(content: bytes, said: str) -> None:
    with pytest.raises(RawFileError, match=said):
        read(content)


def test_wrong_times_are_refused() -> None:
    points = points_of(person(6), ZED)
    for times, said in ((np.arange(5), "5 times for 6 frames"), (np.arange(6)[::-1], "ascending")):
        for content in (npz(keypoints=points, timestampList=times), mat(keypoints=points, timestampList=times)):
            with pytest.raises(RawFileError, match=said):
                read(content, ZED)


def test_a_small_file_that_unpacks_to_much_is_refused() -> None:
    packed = zlib.compress(struct.pack("<II", 14, 1 << 30) + bytes(1 << 28))
    content = mat(a=POINTS)[:128] + struct.pack("<II", 15, len(packed)) + packed
    tracemalloc.start()
    with pytest.raises(RawFileError, match="bytes unpacked"):
        read(content)
    assert tracemalloc.get_traced_memory()[1] < 3 << 26
    tracemalloc.stop()


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(["npy", "npz", "mat", "mat6", "zed"]), st.integers(0, 2**32))
def test_broken_files_are_read_or_refused(kind: str, seed: int) -> None:
    contents = {
        "npy": npy(POINTS),
        "npz": npz(a=POINTS),
        "mat": mat(a=POINTS),
        "mat6": mat(packed=False, a=POINTS),
        "zed": recording_of(ZED, points_of(person(6), ZED)),
    }
    rng = np.random.default_rng(seed)
    content = (cut, flip_bits, splice)[int(rng.integers(3))](contents[kind], rng)
    layout = ZED if kind == "zed" else SMPL
    try:
        blocks = list(open_recording(io.BytesIO(content), "file", layout).blocks)
    except RawFileError:
        return
    assert not any(np.isinf(block.points).any() for block in blocks)


def test_a_crowd_is_refused_by_its_number_of_bodies() -> None:
    crowd = np.zeros((30, 17, *POINTS.shape[-2:]), np.float32)
    with pytest.raises(RawFileError, match="at most 16 bodies"):
        read(npy(crowd))
