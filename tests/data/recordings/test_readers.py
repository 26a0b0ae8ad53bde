"""Each layout's files are read back as the person that was written: metres, NTU's axes, times, bounded blocks."""

import io

import numpy as np
import pytest

from data.errors import DataError, RawFileError
from data.joints import JOINT_NAMES
from data.layouts.layout import layout_names, load_layout
from data.recordings.guess import guess_layout
from data.recordings.readers import open_recording
from data.recordings.recording import BLOCK_FRAMES
from tests.data.layouts.made_recordings import FPS, READ, person, points_of, recording_of

NAMES = [name for name in layout_names() if load_layout(name).refused]


@pytest.mark.parametrize("name", READ)
def test_a_person_is_read_back(name: str) -> None:
    layout = load_layout(name)
    joints = person(60)
    points = points_of(joints, layout)
    recording = open_recording(io.BytesIO(recording_of(layout, points)), name, layout)
    blocks = list(recording.blocks)
    read = np.concatenate([layout.to_ntu(block.points) for block in blocks])[:, 0]  # (T, V, 3)
    expected = layout.to_ntu((points[:, None] * (1 if layout.unit_m else 0.01)).astype(np.float32))[:, 0]
    assert np.allclose(read, expected, atol=1e-5)
    single = [place for place, of in enumerate(layout._indices) if len(of) == 1 and JOINT_NAMES[place] != "head"]
    first_uses = [place for place in single if layout._indices.index(layout._indices[place]) == place]
    assert np.allclose(read[:, first_uses], joints[:, first_uses], atol=1e-5), "a joint is mapped to another"
    assert np.concatenate([block.number for block in blocks]).tolist() == list(range(60))
    if recording.fps:
        assert recording.fps == pytest.approx(FPS)
    for block in blocks:
        if block.times_s is not None:
            assert np.diff(block.times_s) == pytest.approx(1 / FPS, rel=0.02)


@pytest.mark.parametrize("name", READ)
def test_blocks_are_small(name: str) -> None:
    layout = load_layout(name)
    content = recording_of(layout, points_of(person(BLOCK_FRAMES + 3), layout))
    blocks = list(open_recording(io.BytesIO(content), name, layout).blocks)
    assert [len(block.points) for block in blocks] == [BLOCK_FRAMES, 3]
    assert blocks[1].number.tolist() == [BLOCK_FRAMES + place for place in range(3)]


@pytest.mark.parametrize("name", READ)
def test_a_file_that_is_cut_is_refused(name: str) -> None:
    layout = load_layout(name)
    content = recording_of(layout, points_of(person(30), layout))
    for part in (0, 0.3, 0.61, 0.97):  # a cut within the last number of a line can not be seen
        with pytest.raises(RawFileError):
            list(open_recording(io.BytesIO(content[: int(part * len(content))]), name, layout).blocks)


@pytest.mark.parametrize("name", READ)
def test_the_layout_of_a_file_is_guessed(name: str) -> None:
    layout = load_layout(name)
    stream = io.BytesIO(recording_of(layout, points_of(person(30), layout)))
    guess = guess_layout(name, stream)
    assert guess.layout.name == name
    assert guess.reason
    assert stream.tell() == 0


@pytest.mark.parametrize("name", NAMES)
def test_two_dimensional_layouts_are_refused_by_name(name: str) -> None:
    with pytest.raises(DataError, match="lift them to 3-D first"):
        open_recording(io.BytesIO(b"{}"), "film.json", load_layout(name))


def test_ntu_files_have_their_own_parser() -> None:
    with pytest.raises(DataError, match="skeleton_file"):
        open_recording(io.BytesIO(b"1"), "a.skeleton", load_layout("ntu"))
