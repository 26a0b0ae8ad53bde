import hashlib
from collections.abc import Iterator

import numpy as np
import pytest
from numpy.typing import NDArray

from data.clean.bodies import CleanClip, clean
from data.errors import RawFileError
from data.raw.skeleton_file import format_clip, parse_clip
from data.recipes import RECIPES, Recipe
from tests.shared.made_skeletons import moving_body, moving_clip
from tests.shared.plain_reader import plain_clip

Joints = NDArray[np.float32]


def cleaned(joints: Joints, recipe: Recipe = "shift-gcn") -> CleanClip:
    return clean(parse_clip(format_clip(joints), "clip"), recipe)


def broken_clip(rng: np.random.Generator) -> Joints:
    """A clip of 1 to 5 bodies with empty frames at the start, at the end or in the middle, or an empty joint."""
    frames, bodies = int(rng.integers(1, 50)), int(rng.integers(1, 6))
    joints = moving_clip(rng, frames, bodies)
    for body in range(bodies):
        start, stop = sorted(rng.integers(0, frames + 1, 2).tolist())
        kind = int(rng.integers(6))
        if kind in (1, 3):
            joints[stop:, body] = 0
        if kind in (2, 3):
            joints[:start, body] = 0
        if kind == 4:
            joints[start:stop, body] = 0
        if kind == 5:
            joints[start:stop, body, int(rng.integers(25))] = 0
    joints[int(rng.integers(frames)), int(rng.integers(bodies))] = moving_body(rng, 1)
    return joints


@pytest.mark.parametrize("recipe", RECIPES)
@pytest.mark.parametrize("seed", range(15))
def test_clips_equal_those_of_a_plain_implementation(recipe: Recipe, seed: int) -> None:
    joints = broken_clip(np.random.default_rng(seed))
    clip = cleaned(joints, recipe)
    frames = clip.joints.shape[1]
    expected = plain_clip(format_clip(joints), recipe, frames).transpose(3, 1, 2, 0)  # (M, T, V, C)
    for body, period in enumerate(clip.period):
        assert period <= frames
        if period:
            assert np.abs(clip.joints[body, :period] - expected[body, :period]).max() < 1e-6
            assert not clip.joints[body, period:].any()
    assert max(clip.period) == frames
    assert len(clip.joints) == 1 + (clip.period[1] > 0)
    assert clip.joints.dtype == np.float32


@pytest.mark.parametrize("recipe", RECIPES)
def test_the_first_frame_stands_upright_with_its_shoulders_along_x(recipe: Recipe) -> None:
    joints = moving_clip(np.random.default_rng(5), 20, 2)
    first, second = cleaned(joints, recipe).joints
    shoulders = first[0, 8] - first[0, 4]
    assert shoulders[0] == pytest.approx(np.linalg.norm(shoulders), abs=1e-6)
    spine = first[0, 1] - first[0, 0]
    assert spine[2] > 0.99 * np.linalg.norm(spine)  # the second rotation, for the shoulders, tilts it a little
    assert not first[:, 1].any()
    assert second[:, 1].any()


def test_distances_from_the_first_bodys_spine_are_kept() -> None:
    joints = moving_clip(np.random.default_rng(5), 20, 2)
    distances = np.linalg.norm(cleaned(joints).joints.transpose(1, 0, 2, 3), axis=-1)  # (T, M, V)
    expected = [np.linalg.norm(joints[:, order] - joints[:, order][:, :1, 1:2], axis=-1) for order in ([0, 1], [1, 0])]
    assert min(np.abs(distances - either).max() for either in expected) < 1e-6


def test_the_two_bodies_with_the_most_energy_are_kept_the_larger_first() -> None:
    rng = np.random.default_rng(0)
    joints = np.stack([moving_body(rng, 30, 0.1)] * 4, axis=1)
    joints *= np.array([1, 1.5, 3, 2], np.float32)[:, None, None]
    clip = cleaned(joints)
    sizes = [np.linalg.norm(body[0, 3] - body[0, 20]) for body in clip.joints]
    neck = np.linalg.norm(joints[0, 0, 3] - joints[0, 0, 20])
    assert sizes == pytest.approx([3 * neck, 2 * neck], rel=1e-5)
    assert clip.dropped == {"energy": 2}


def test_bodies_beyond_the_fourth_in_a_frames_list_are_ignored() -> None:
    rng = np.random.default_rng(0)
    joints = np.stack([moving_body(rng, 5) for _ in range(5)], axis=1)
    joints[:, 4] *= 100
    clip = cleaned(joints)
    assert np.abs(clip.joints).max() < 20
    assert clip.dropped == {"energy": 3}


@pytest.mark.parametrize("recipe", RECIPES)
def test_bodies_that_follow_each_other_become_one(recipe: Recipe) -> None:
    joints = moving_clip(np.random.default_rng(1), 40, 2)
    joints[20:, 0] = joints[:20, 1] = 0
    assert cleaned(joints, recipe).period == (40, 0)


def test_empty_frames_are_cut_at_the_start_and_end_but_not_between() -> None:
    joints = moving_clip(np.random.default_rng(2), 12)
    late, early, gap = joints.copy(), joints.copy(), joints.copy()
    late[:3] = late[6] = 0
    early[10:] = 0
    gap[4:6] = 0
    assert cleaned(late).period == (8, 0)
    assert cleaned(early).period == (10, 0)
    clip = cleaned(gap)
    assert clip.period == (12, 0)
    assert clip.joints[0].any(axis=(1, 2)).tolist() == [True] * 4 + [False] * 2 + [True] * 6


def test_empty_joints_stay_zero() -> None:
    joints = moving_clip(np.random.default_rng(2), 5)
    joints[2, 0, 7] = 0
    joints[3, 0, 9] = (1, -1, 0)  # empty, because it sums to zero
    clip = cleaned(joints)
    assert np.argwhere(~clip.joints[0].any(axis=-1)).tolist() == [
        [0, 1],
        [1, 1],
        [2, 1],
        [2, 7],
        [3, 1],
        [3, 9],
        [4, 1],
    ]


@pytest.mark.parametrize("recipe", RECIPES)
def test_a_clip_of_zeros_is_refused(recipe: Recipe) -> None:
    content = format_clip(np.ones((2, 1, 25, 3))).replace(b"1.0 1.0 1.0", b"0 0 0")
    with pytest.raises(RawFileError, match="no frame holds a body: all coordinates are zero"):
        clean(parse_clip(content, "clip"), recipe)


def furniture(rng: np.random.Generator, frames: int) -> Joints:
    """A body three times as wide as it is high."""
    return (rng.normal(size=(frames, 25, 3)) * [1.5, 0.2, 1.0] + [0, 0, 3]).astype(np.float32)


def person(rng: np.random.Generator, frames: int) -> Joints:
    """A body three times as high as it is wide, and less spread than the furniture."""
    return (rng.normal(size=(1, 25, 3)) * [0.2, 0.6, 0.1] + rng.normal(size=(frames, 1, 3)) * 0.01).astype(np.float32)


@pytest.mark.parametrize("listed_first", [True, False])
def test_denoised_drops_furniture_that_shift_gcn_keeps_as_the_main_body(listed_first: bool) -> None:
    rng = np.random.default_rng(0)
    bodies = [furniture(rng, 30), person(rng, 30)]
    joints = np.stack(bodies if listed_first else bodies[::-1], axis=1)
    assert cleaned(joints, "shift-gcn").period == (30, 30)
    clip = cleaned(joints, "denoised")
    assert clip.period == (30, 0)
    assert clip.dropped == {"too wide": 1}
    assert np.linalg.norm(np.ptp(clip.joints[0, 0], axis=0)) < 4


@pytest.mark.parametrize(("wide_frames", "bodies"), [(69, 2), (70, 1)])
def test_denoised_drops_a_body_with_too_many_wide_frames(wide_frames: int, bodies: int) -> None:
    rng = np.random.default_rng(0)
    other = person(rng, 100)
    other[:wide_frames] = furniture(rng, wide_frames)
    assert len(cleaned(np.stack([person(rng, 100), other], axis=1), "denoised").joints) == bodies


@pytest.mark.parametrize(("frames", "bodies"), [(11, 1), (12, 2)])
def test_denoised_drops_bodies_seen_in_11_frames_or_fewer(frames: int, bodies: int) -> None:
    rng = np.random.default_rng(0)
    joints = np.stack([person(rng, 30), person(rng, 30)], axis=1)
    joints[frames:, 1] = 0
    clip = cleaned(joints, "denoised")
    assert len(clip.joints) == bodies
    assert clip.dropped == ({"too short": 1} if bodies == 1 else {})


def test_denoised_never_drops_the_last_body() -> None:
    rng = np.random.default_rng(0)
    assert cleaned(furniture(rng, 5)[:, None], "denoised").period == (5, 0)
    short = np.stack([person(rng, 9), furniture(rng, 9)], axis=1)
    short[8:, 0] = 0
    clip = cleaned(short, "denoised")
    assert clip.period == (9, 0)
    assert clip.dropped == {"too short": 1}
    both = cleaned(np.stack([furniture(rng, 20), furniture(rng, 20)], axis=1), "denoised")
    assert both.dropped == {"too wide": 1}


def test_denoised_ranks_the_remaining_bodies_by_variance() -> None:
    pose = person(np.random.default_rng(0), 20)
    joints = np.stack([pose, pose * 3, pose * 2], axis=1)
    clip = cleaned(joints, "denoised")
    heights = [float(np.linalg.norm(body[0, 3] - body[0, 20])) for body in clip.joints]
    height = float(np.linalg.norm(pose[0, 3] - pose[0, 20]))
    assert heights == pytest.approx([3 * height, 2 * height], rel=1e-5)
    assert clip.dropped == {"variance": 1}


def test_the_centre_is_kept_only_where_the_periods_differ() -> None:
    joints = moving_clip(np.random.default_rng(4), 20, 2)
    assert len(cleaned(joints).centre) == 0
    joints[15:, 1] = 0
    clip = cleaned(joints)
    assert len(clip.centre) == clip.period[0]
    assert not clip.centre[0].any()


def steady_numbers(*shape: int) -> NDArray[np.float64]:
    """Numbers from 0 to 1 that are the same on every machine, whatever its sine or its random streams are."""
    return np.asarray(np.arange(1, np.prod(shape) + 1) * 2654435761 % 2**32 / 2**32).reshape(shape)


def steady_clips() -> Iterator[Joints]:
    """Clips of one, two and five bodies; two people who change places; bodies that come and go, and an empty joint."""
    walk = (steady_numbers(60, 5, 1, 3) * 0.02).cumsum(axis=0) + np.arange(5)[:, None, None] * [0.7, 0.1, 0.4]
    joints = (walk + [0, 0, 3] + steady_numbers(1, 5, 25, 3) + 0.2 * steady_numbers(60, 5, 25, 3)).astype(np.float32)
    yield joints[:, :1]
    yield joints[:, :2]
    yield joints
    swapped = joints[:, :2].copy()
    swapped[30:] = swapped[30:, ::-1]
    yield swapped
    cut = joints[:, :3].copy()
    cut[:7, 0] = cut[20:30, 1] = cut[44:, 2] = cut[50:, 1] = cut[55:] = 0
    cut[33, 0, 9] = 0
    yield cut


def test_shift_gcn_gives_the_same_bits_as_ever() -> None:
    digest = hashlib.sha256()
    for joints in steady_clips():
        clip = cleaned(joints, "shift-gcn")
        digest.update(repr(clip.period).encode() + clip.joints.tobytes() + clip.centre.tobytes())
    assert digest.hexdigest() == "2460225cc0e67a977b6ff04796cddeb2769650bbd77ab5c7316ebf31a782e70f"
