"""Whether people keep their identity: in several ids, in changing places of the list, and in any order."""

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from data.clean.bodies import CleanClip, clean
from data.clean.choice import TRACKED_BODIES
from data.clean.people import MOST_PIECES, Piece, chained, followed, pieces_of, two_actors
from data.errors import RawFileError
from data.raw.skeleton_file import RawClip, format_clip, parse_clip
from data.recipes import RECIPES, Recipe
from tests.data.clean import plain_people
from tests.shared.made_skeletons import moving_body, moving_clip

Joints = NDArray[np.float32]
SEEDS = st.integers(0, 2**32 - 1)


def cleaned(joints: Joints, recipe: Recipe) -> CleanClip:
    """Cleans a clip (T, M, V, 3) by `recipe`."""
    return clean(parse_clip(format_clip(joints), "clip"), recipe)


def same(clip: CleanClip, other: CleanClip) -> bool:
    """Whether two clips are the same, bit for bit."""
    return clip.period == other.period and all(
        np.array_equal(part, other_part)
        for part, other_part in ((clip.joints, other.joints), (clip.centre, other.centre))
    )


def apart(rng: np.random.Generator, frames: int, bodies: int) -> Joints:
    """A clip (T, M, V, 3) of people who stand 2 m apart."""
    return moving_clip(rng, frames, bodies) + (np.arange(bodies)[:, None, None] * [2, 0, 0]).astype(np.float32)


def cut(joints: Joints, cuts: Sequence[int]) -> Joints:
    """Gives the one person of a clip (T, 1, V, 3) a new id at each of these frames: (T, ids, V, 3)."""
    ids = np.searchsorted(np.sort(cuts), np.arange(len(joints)), side="right")
    out = np.zeros((len(joints), ids.max() + 1, 25, 3), np.float32)
    out[np.arange(len(joints)), ids] = joints[:, 0]
    return out


def reordered(clip: RawClip, rng: np.random.Generator) -> RawClip:
    """The clip with the bodies of each frame in another order, and with other ids."""
    order = np.lexsort((rng.random(len(clip.rows)), clip.row_frame))
    ids = np.concatenate(
        [rng.permutation(len(clip.body_ids))[: (clip.row_frame == t).sum()] for t in range(clip.frames)]
    )
    return RawClip(clip.source, clip.frames, clip.rows[order], clip.row_frame, ids, clip.row_place, clip.body_ids)


@pytest.mark.parametrize("recipe", RECIPES)
@pytest.mark.parametrize("ids", [2, 4, 7])
def test_a_person_in_several_ids_is_one_whole_clip(recipe: Recipe, ids: int) -> None:
    joints = moving_clip(np.random.default_rng(0), 84)
    pieces = cleaned(cut(joints, [84 * number // ids for number in range(1, ids)]), recipe)
    assert same(pieces, cleaned(joints, recipe))
    assert pieces.period == (84, 0)
    assert (pieces.dropped, pieces.joined, pieces.exchanged) == ({}, recipe == "denoised", False)


@settings(deadline=None, max_examples=60)
@given(SEEDS, st.integers(2, 60), st.lists(st.integers(1, 59), max_size=8))
def test_joining_the_ids_of_a_person_loses_nothing(seed: int, frames: int, cuts: list[int]) -> None:
    joints = moving_clip(np.random.default_rng(seed), frames)
    whole = cleaned(joints, "denoised")
    assert same(cleaned(cut(joints, [at % frames for at in cuts if at % frames]), "denoised"), whole)


def test_two_people_who_both_get_new_ids_stay_themselves() -> None:
    joints = apart(np.random.default_rng(1), 60, 2)
    ids = np.zeros((60, 4, 25, 3), np.float32)
    ids[:30, :2] = joints[:30]
    ids[30:, [3, 2]] = joints[30:]
    clip = cleaned(ids, "denoised")
    assert same(clip, cleaned(joints, "denoised"))
    assert (clip.joined, clip.exchanged) == (True, False)


def test_people_who_were_lost_and_moved_are_joined_to_the_nearer_actor() -> None:
    joints = apart(np.random.default_rng(1), 90, 2)
    joints[60:] += np.array([0.8, 0, 0], np.float32)  # farther than where ids are joined at once
    ids = np.zeros((90, 4, 25, 3), np.float32)
    ids[:30, :2] = joints[:30]
    ids[60:, [3, 2]] = joints[60:]
    joints[30:60] = 0
    clip = cleaned(ids, "denoised")
    assert same(clip, cleaned(joints, "denoised"))
    assert clip.joined


@pytest.mark.parametrize("frames", [40, 60])
def test_an_id_between_two_others_of_a_person_is_joined(frames: int) -> None:
    joints = moving_clip(np.random.default_rng(2), 84)
    joints[:20] *= 1.5  # the largest variance, then the last, then the one between
    joints[frames:] *= 1.2
    assert cleaned(cut(joints, [20, frames]), "denoised").period == (84, 0)


def test_a_frame_that_lists_a_person_under_both_ids_makes_no_second_body() -> None:
    joints = moving_clip(np.random.default_rng(2), 50)
    ids = cut(joints, [25])
    ids[24, 1] = joints[24, 0]
    assert same(cleaned(ids, "denoised"), cleaned(joints, "denoised"))
    ids[23, 1] = joints[23, 0]
    assert len(cleaned(ids, "denoised").joints) == 2


def test_people_who_change_places_half_way_are_followed_by_tracked_alone() -> None:
    joints = apart(np.random.default_rng(3), 60, 2)
    swapped = joints.copy()
    swapped[30:] = joints[30:, ::-1]  # the second half lists the other one first, and with the other's id
    assert not any(cleaned(joints, recipe).exchanged for recipe in RECIPES)
    for recipe in RECIPES:
        clip = cleaned(swapped, recipe)
        assert clip.exchanged
        assert same(clip, cleaned(joints, recipe)) == (recipe == "tracked")


@pytest.mark.parametrize("recipe", RECIPES)
def test_bodies_of_zeros_alone_are_nobody(recipe: Recipe) -> None:
    content = format_clip(np.ones((3, 2, 25, 3))).replace(b"1.0 1.0 1.0", b"0 0 0")
    with pytest.raises(RawFileError, match="no frame holds a body"):
        clean(parse_clip(content, "clip"), recipe)


def test_an_id_that_passes_to_furniture_is_noticed_though_only_one_body_is_kept() -> None:
    rng = np.random.default_rng(6)
    person = (rng.normal(size=(1, 25, 3)) * [0.2, 0.6, 0.1] + rng.normal(size=(60, 1, 3)) * 0.01).astype(np.float32)
    chair = np.broadcast_to(rng.normal(size=(1, 25, 3)) * [0.6, 0.1, 0.3] + [3, 0, 0], (60, 25, 3))
    joints = np.stack([person, chair.astype(np.float32)], axis=1)
    assert not cleaned(joints, "denoised").exchanged
    joints[10:] = joints[10:, ::-1].copy()
    clip = cleaned(joints, "denoised")
    assert (clip.dropped, clip.exchanged) == ({"too wide": 1}, True)


def test_a_person_who_moves_up_in_the_list_when_another_one_leaves_is_followed() -> None:
    joints = apart(np.random.default_rng(4), 60, 2)
    joints[35:, 0] = 0  # the second one is listed first from here on
    assert cleaned(joints, "shift-gcn").exchanged
    clip = cleaned(joints, "tracked")
    assert sorted(clip.period) == [35, 60]
    assert clip.exchanged
    assert not cleaned(joints, "denoised").exchanged


def test_a_person_who_comes_back_near_by_is_the_same_one() -> None:
    joints = apart(np.random.default_rng(5), 60, 2)
    joints[20:40] = 0
    swapped = joints.copy()
    swapped[40:] = joints[40:, ::-1]
    assert same(cleaned(swapped, "tracked"), cleaned(joints, "tracked"))
    assert cleaned(swapped, "shift-gcn").exchanged


@settings(deadline=None, max_examples=40)
@given(SEEDS, st.integers(1, 40), st.integers(1, 5))
def test_tracked_does_not_depend_on_the_order_of_bodies(seed: int, frames: int, bodies: int) -> None:
    rng = np.random.default_rng(seed)
    joints = moving_clip(rng, frames, bodies)  # people who stand close together, come and go
    joints[rng.random((frames, bodies)).cumsum(axis=0) % 9 > 7] = 0
    joints[0, 0] = moving_body(rng, 1)[0]
    clip = parse_clip(format_clip(joints), "clip")
    assert same(clean(clip, "tracked"), clean(reordered(clip, rng), "tracked"))


def test_tracked_does_not_depend_on_the_order_of_two_who_are_as_energetic() -> None:
    person = moving_clip(np.random.default_rng(7), 30) + np.array([2, 0, 0], np.float32)
    joints = np.concatenate([person, person * np.array([-1, 1, 1], np.float32)], axis=1)  # and the mirror image
    assert same(cleaned(joints, "tracked"), cleaned(joints[:, ::-1], "tracked"))


@settings(deadline=None, max_examples=25)
@given(SEEDS, st.integers(1, 25), st.integers(1, 4), st.sampled_from([0.02, 0.1, 0.6]))
def test_people_equal_those_of_a_plain_implementation(seed: int, frames: int, bodies: int, step_m: float) -> None:
    rng = np.random.default_rng(seed)
    steps = rng.normal(size=(frames, bodies, 1, 3)).cumsum(axis=0) * step_m
    joints = (rng.normal(size=(1, bodies, 25, 3)) * 0.2 + steps).astype(np.float32)
    listed = joints.transpose(1, 0, 2, 3)  # (M, T, V, 3)
    listed[(rng.random((bodies, frames)) < 0.2).nonzero()] = 0
    found, plain = followed(listed), plain_people.followed(list(listed.astype(float)))
    assert_same_people(found, plain)
    assert_same_people(chained(found), plain_people.chained(plain))
    pieces = found[::-1]
    actors, _ = two_actors(pieces, frames)
    expected = plain_people.two_actors([as_person(piece) for piece in pieces])
    assert len(actors) == len(expected)
    for actor, person in zip(actors, expected, strict=True):
        assert np.array_equal(actor, plain_people.body_of(person, frames))


def as_person(piece: Piece) -> plain_people.Person:
    return dict(zip(piece.frames.tolist(), piece.poses.astype(float), strict=True))


def assert_same_people(found: Sequence[Piece], expected: Sequence[plain_people.Person]) -> None:
    def key(person: plain_people.Person) -> list[tuple[int, bytes]]:
        return sorted((frame, pose.tobytes()) for frame, pose in person.items())

    assert sorted(key(as_person(piece)) for piece in found) == sorted(map(key, expected))


def test_more_pieces_than_are_looked_at_stay_apart_and_none_is_lost() -> None:
    body = np.zeros((MOST_PIECES + 500, 1, 25, 3), np.float32)
    body[:] = moving_body(np.random.default_rng(0), 1)[0]
    pieces = pieces_of(cut(body, range(1, len(body))).transpose(1, 0, 2, 3)[: MOST_PIECES + 5])
    assert [len(piece.frames) for piece in chained(pieces)] == [MOST_PIECES, 1, 1, 1, 1, 1]


def test_tracked_refuses_a_frame_of_more_bodies_than_it_follows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("data.raw.joint_array.MOST_BODIES", TRACKED_BODIES + 1)  # so that such a file can be written
    crowd = moving_clip(np.random.default_rng(0), 2, TRACKED_BODIES + 1)
    with pytest.raises(RawFileError, match="a frame lists 17 bodies; the recipe tracked follows at most 16 at once"):
        cleaned(crowd, "tracked")
    assert len(cleaned(crowd[:, 1:], "tracked").joints) == 2


@pytest.mark.parametrize("recipe", RECIPES)
def test_a_clip_that_lists_nobody_is_refused(recipe: Recipe) -> None:
    none = np.zeros(0, np.int64)
    clip = RawClip("array 1", 5, np.zeros((0, 25, 3), np.float32), none, none, none, np.arange(2))
    with pytest.raises(RawFileError, match="no frame holds a body"):
        clean(clip, recipe)
