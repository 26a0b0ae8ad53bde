"""Pickles of pyskl and pickled dicts in .npy: what is read from every protocol, with little memory, and refusals."""

import io
import pickle
import tracemalloc
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data.errors import RawFileError
from data.layouts.layout import load_layout
from data.recordings.annotations import open_annotation, read_annotations
from data.recordings.guess import guess_layout
from data.recordings.readers import open_recording
from tests.data.layouts.made_recordings import person
from tests.shared.mutations import cut, flip_bits, splice

PYSKL, NTU_NPY = load_layout("pyskl"), load_layout("ntu-npy")
PERSON = person(7)


def clip(name: str = "one", **changed: Any) -> dict[str, Any]:
    return {"frame_dir": name, "label": 3, "keypoint": PERSON[None].astype(np.float16), **changed}


def pickled(clips: Any, protocol: int = 4) -> io.BytesIO:
    return io.BytesIO(pickle.dumps({"split": {"xsub_train": ["one"]}, "annotations": clips}, protocol=protocol))


@pytest.mark.parametrize("protocol", [1, 2, 3, 4, 5])
@pytest.mark.parametrize("dtype", ["f2", ">f4", "f8"])
def test_every_protocol_is_read(protocol: int, dtype: str) -> None:
    keypoint = np.stack([PERSON, PERSON + 1]).astype(dtype)
    stream = pickled([clip("a"), clip("b", keypoint=keypoint, label=np.int64(59)), clip("c", label=None)], protocol)
    found = read_annotations(stream, "file.pkl", PYSKL)
    assert [(one.name, one.label) for one in found.clips] == [("a", 3), ("b", 59), ("c", None)]
    assert found.split == {"xsub_train": ("one",)}
    (block,) = open_annotation(stream, "file.pkl", found.clips[1], PYSKL).blocks
    assert np.array_equal(block.points, keypoint.transpose(1, 0, 2, 3).astype(np.float32))


def test_the_first_clip_tells_the_layout() -> None:
    assert guess_layout("file.pkl", pickled([clip("a"), clip("b")])).layout.name == "pyskl"


def test_memory_does_not_hold_the_clips() -> None:
    content = pickled([clip(f"clip {number}", keypoint=np.zeros((1, 400, 25, 3)) + number) for number in range(100)])
    tracemalloc.start()
    found = read_annotations(content, "file.pkl", PYSKL)
    assert tracemalloc.get_traced_memory()[1] < 3 << 20  # the file has 24 MB
    tracemalloc.stop()
    (block,) = open_annotation(content, "file.pkl", found.clips[77], PYSKL).blocks
    assert (block.points == 77).all()


@pytest.mark.parametrize(
    ("clips", "said"),
    [
        ([], "no list of annotations"),
        (5, "no list of annotations"),
        ([5], r"annotation 0 \(from 0\): has no \"frame_dir\""),
        ([{"frame_dir": "a"}], 'has no array "keypoint"'),
        ([clip(keypoint=np.zeros((1, 7, 17, 2)), keypoint_score=np.zeros((1, 7, 17)))], "two-dimensional points; lift"),
        ([clip(keypoint=np.zeros((1, 7, 17, 3)))], r"shape \(7, 1, 17, 3\), pyskl has"),
        ([clip(keypoint=np.zeros((7, 25, 3)))], r"expected \(bodies, frames, 25, 3\)"),
        ([clip(), clip()], "2 annotations have 1 names"),
        ([clip(keypoint=np.array([[[["a"]]]], object))], "shape"),
        ([clip(label=print)], "refused"),
        ([clip(label=1 + 2j)], "refused"),
        ([clip("one"), clip("two")], "holds 2 clips, one first"),
        ([clip(keypoint=PERSON[None].astype(str))], 'an array holds "U'),
    ],
)
def test_what_is_wrong_is_said(clips: Any, said: str) -> None:
    with pytest.raises(RawFileError, match=said):
        list(open_recording(pickled(clips), "file.pkl", PYSKL).blocks)


def test_nothing_is_run() -> None:
    class Evil:
        def __reduce__(self) -> tuple[Any, ...]:
            return (pytest.fail, ("the pickle was run",))

    for protocol in range(6):
        with pytest.raises(RawFileError, match="refused"):
            read_annotations(io.BytesIO(pickle.dumps(Evil(), protocol=protocol)), "file.pkl", PYSKL)


@pytest.mark.parametrize(
    "content",
    [
        b"\x80\x04\x8e\xff\xff\xff\xff\xff\xff\xff\x00.",  # bytes of a length that no file has
        b"\x80\x04B\xff\xff\xff\xff.",
        b"\x80\x04]\x94" + b"h\x00" * 1000 + b"a.",
        b"\x80\x04" + b"]" * 100_000 + b"a" * 99_999 + b".",  # lists within lists
        b"\x80\x04}\x94h\x00h\x00s.",  # a dict that holds itself as its key
    ],
)
def test_hostile_pickles_are_refused(content: bytes) -> None:
    with pytest.raises(RawFileError):
        read_annotations(io.BytesIO(content), "file.pkl", PYSKL)


def saved(value: Any) -> bytes:
    stream = io.BytesIO()
    np.save(stream, value, allow_pickle=True)
    return stream.getvalue()


def test_a_dict_of_bodies_and_a_plain_array() -> None:
    value = {"file_name": "a", "skel_body0": PERSON, "skel_body1": PERSON + 1, "nbodys": [2] * 7}
    for given_value in (value, np.stack([PERSON, PERSON + 1], axis=1)):
        (block,) = open_recording(io.BytesIO(saved(given_value)), "file", NTU_NPY).blocks
        assert np.array_equal(block.points, np.stack([PERSON, PERSON + 1], axis=1))


def test_arrays_of_its_joints_in_archives() -> None:
    stream = io.BytesIO()
    np.savez(stream, joints=PERSON, other=PERSON[:, :4])
    stream.seek(0)
    (block,) = open_recording(stream, "file", NTU_NPY).blocks
    assert np.array_equal(block.points[:, 0], PERSON)


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ({"rgb_body0": PERSON}, 'no array "skel_body0"; found rgb_body0'),
        ({"skel_body0": PERSON, "skel_body1": PERSON[1:]}, "its bodies have shapes"),
        ({"skel_body0": PERSON[:, :20]}, "ntu-npy has"),
        ([PERSON, "text"], r"holds \(2,\) objects|inhomogeneous|no dict"),
        ({f"skel_body{body}": PERSON for body in range(17)}, "more than 16 bodies"),
    ],
)
def test_other_dicts_are_refused(value: Any, said: str) -> None:
    content = saved(value if isinstance(value, dict) else np.array([0, "text"], object))
    with pytest.raises(RawFileError, match=said):
        list(open_recording(io.BytesIO(content), "file", NTU_NPY).blocks)


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(["pyskl", "ntu-npy"]), st.integers(0, 2**32))
def test_broken_pickles_are_read_or_refused(name: str, seed: int) -> None:
    content = pickled([clip()]).getvalue() if name == "pyskl" else saved({"skel_body0": PERSON})
    rng = np.random.default_rng(seed)
    content = (cut, flip_bits, splice)[int(rng.integers(3))](content, rng)
    try:
        blocks = list(open_recording(io.BytesIO(content), "file", load_layout(name)).blocks)
    except RawFileError:
        return
    assert not any(np.isinf(block.points).any() for block in blocks)
