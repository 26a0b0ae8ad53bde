"""Joints in layouts that can't be mistaken are taken; all others are refused with their shape and those wanted."""

from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from data.errors import DataError
from data.raw.joint_array import joint_array
from data.raw.skeleton_file import format_clip
from tests.shared.made_skeletons import moving_clip

CLIP = moving_clip(np.random.default_rng(0), 20, 2)  # (T, M, V, 3)


@pytest.mark.parametrize(
    "given",
    [
        CLIP,
        CLIP.astype(np.float64),
        CLIP.tolist(),
        [frame.tolist() for frame in CLIP],
        list(CLIP),
        torch.from_numpy(CLIP),
        torch.from_numpy(CLIP).requires_grad_(),
        np.asfortranarray(CLIP),
    ],
)
def test_arrays_lists_and_tensors_are_the_same_clip(given: Any) -> None:
    found = joint_array(given)
    assert found.dtype == np.float32
    assert np.array_equal(found, CLIP)


def test_one_body_needs_no_axis_of_bodies() -> None:
    assert np.array_equal(joint_array(CLIP[:, 0]), CLIP[:, :1])


def test_integers_are_numbers() -> None:
    assert joint_array((1000 * CLIP).astype(np.int64)).shape == CLIP.shape


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (CLIP[:, 0][None], r"\(1, 20, 25, 3\) would be 1 frames of 20 bodies"),
        (CLIP.transpose(1, 0, 2, 3), r"\(2, 20, 25, 3\).*array\.transpose\(1, 0, 2, 3\)"),
        (CLIP.transpose(3, 0, 2, 1), r"\(3, 20, 25, 2\).*array\.transpose\(1, 3, 2, 0\)"),
        (CLIP.transpose(0, 2, 1, 3), r"\(20, 25, 2, 3\), where \(frames, bodies, 25, 3\)"),
        (CLIP.transpose(0, 1, 3, 2), r"\(20, 2, 3, 25\), where"),
        (CLIP[None], r"\(1, 20, 2, 25, 3\).*one array each"),
        (np.repeat(CLIP[:, :1], 9, axis=1), "a frame with 9 bodies, where a sensor tracks at most 6"),
        (CLIP[0], r"\(2, 25, 3\) may be 2 frames of one body or one frame of 2 bodies"),
        (CLIP[:, :, :20], r"\(20, 2, 20, 3\), where"),
        (CLIP[..., :2], r"\(20, 2, 25, 2\), where"),
        (CLIP.reshape(20, 150), r"\(20, 150\).*array\.reshape\(len\(array\), -1, 25, 3\)"),
        (CLIP[:0], r"\(0, 2, 25, 3\), where"),
        (7, r"shape \(\), where"),
        ([], "float|shape"),
        (None, "a NoneType of object"),
        (b"clip.skeleton", "a bytes of"),
        ([[1.0], [1.0, 2.0]], "a list is no array of numbers"),
        (CLIP.astype(np.complex64), "of complex64"),
        (CLIP.astype(np.str_), "is no array of numbers"),
        (np.where(np.arange(25)[:, None] == 3, np.nan, CLIP), "NaN or infinite"),
        (CLIP.astype(np.float64) * 1e39, "NaN or infinite"),
    ],
)
def test_all_else_is_refused_with_what_was_found(given: Any, said: str) -> None:
    with pytest.raises(DataError, match=said) as error:
        joint_array(given)
    if "NaN" not in said and "sensor" not in said:
        assert "(frames, bodies, 25, 3)" in str(error.value)


@pytest.mark.parametrize("joints", [CLIP[:, 0][None], CLIP.transpose(1, 0, 2, 3)])
def test_a_raw_file_of_exchanged_axes_is_not_written(joints: NDArray[np.float32]) -> None:
    with pytest.raises(DataError, match="a frame with 20 bodies"):
        format_clip(joints)
