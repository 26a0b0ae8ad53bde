"""Bodies keep their places, and leave them to others when they are long gone."""

import numpy as np
import pytest

from data.errors import RawFileError
from data.recordings.frames import FREE_AFTER_FRAMES, MAX_PLACES, Frame, pack
from data.recordings.recording import BLOCK_FRAMES

POINTS = np.ones((2, 3), np.float32)


def test_a_body_keeps_its_place_in_later_blocks() -> None:
    frames = [Frame({"a": POINTS, "b": POINTS * 2})] * BLOCK_FRAMES + [Frame({"b": POINTS * 2, "c": POINTS * 3})]
    first, second = pack(frames, 2, "file")
    assert first.points.shape == (BLOCK_FRAMES, 2, 2, 3)
    assert np.array_equal(second.points[0, :, 0, 0], [np.nan, 2, 3], equal_nan=True)


def test_places_are_used_again() -> None:
    bodies = [Frame({body: POINTS}) for body in range(100) for _ in range(FREE_AFTER_FRAMES // 4)]
    blocks = list(pack(bodies, 2, "file"))
    assert max(block.points.shape[1] for block in blocks) <= 6
    assert all((np.isfinite(block.points[:, :, 0, 0]).sum(axis=1) == 1).all() for block in blocks)


def test_too_many_bodies_are_refused() -> None:
    with pytest.raises(RawFileError, match=f"more than {MAX_PLACES} bodies"):
        list(pack([Frame({body: POINTS}) for body in range(MAX_PLACES + 1)], 2, "file"))


def test_times_are_left_out_when_a_frame_has_none() -> None:
    (block,) = pack([Frame({0: POINTS}, time_s=1.0), Frame({0: POINTS})], 2, "file")
    assert block.times_s is None
    assert block.number.tolist() == [0, 1]
