import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.backbone.augmentation import augment, augments, rotation
from models.backbone.settings import BackboneSettings


def made_clip(frames: int = 20) -> np.ndarray:
    clip = np.random.default_rng(0).normal(size=(3, frames, 25, 2)).astype(np.float32)
    clip[:, :, 7] = 0
    clip[..., 1] = 0
    return clip


def test_off_in_the_published_recipe() -> None:
    assert not augments(BackboneSettings())
    assert augments(BackboneSettings(time_crop=0.9))


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 1000))
def test_turning_keeps_distances_and_absence(seed: int) -> None:
    clip = made_clip()
    turned = augment(clip, BackboneSettings(rotation_degrees=180), np.random.default_rng(seed))
    np.testing.assert_allclose(np.linalg.norm(turned, axis=0), np.linalg.norm(clip, axis=0), rtol=1e-5, atol=1e-6)
    assert not turned[:, :, 7].any()
    assert not turned[..., 1].any()
    assert turned.dtype == np.float32


def test_turns_are_about_the_axes() -> None:
    quarter = np.pi / 2
    np.testing.assert_allclose(rotation(np.array([quarter, 0, 0])) @ [0, 1, 0], [0, 0, 1], atol=1e-12)
    np.testing.assert_allclose(rotation(np.array([0, quarter, 0])) @ [0, 0, 1], [1, 0, 0], atol=1e-12)
    np.testing.assert_allclose(rotation(np.array([0, 0, quarter])) @ [1, 0, 0], [0, 1, 0], atol=1e-12)


def test_scaling_stays_in_its_bounds() -> None:
    clip = made_clip()
    scaled = augment(clip, BackboneSettings(scaling=0.2), np.random.default_rng(3))
    there = clip != 0
    ratios = scaled[there] / clip[there]
    assert 0.8 <= ratios.min() < ratios.max() <= 1.2
    assert len(np.unique(ratios.round(4))) == 3  # one an axis


def test_a_stretch_of_time_is_stretched() -> None:
    clip = np.broadcast_to(np.arange(1, 21, dtype=np.float32)[None, :, None, None], (3, 20, 25, 2)).copy()
    for seed in range(20):
        times = augment(clip, BackboneSettings(time_crop=0.5), np.random.default_rng(seed))[0, :, 0, 0]
        assert 1 <= times[0] < times[-1] <= 20.001
        assert times[-1] - times[0] >= 0.5 * 19 - 1e-3
        np.testing.assert_allclose(np.diff(times), times[1] - times[0], rtol=1e-3)


def test_absent_joints_are_not_mixed_with_present_ones() -> None:
    clip = np.ones((3, 20, 25, 2), np.float32)
    clip[:, ::2, 4] = 0
    stretched = augment(clip, BackboneSettings(time_crop=0.6), np.random.default_rng(1))
    assert set(np.unique(stretched)) <= {0.0, 1.0}
    assert {0.0, 1.0} == set(np.unique(stretched[:, :, 4]))


@pytest.mark.parametrize("frames", [4, 5])
def test_shape_stays(frames: int) -> None:
    clip = made_clip(frames)
    assert augment(clip, BackboneSettings(time_crop=0.1, scaling=0.1), np.random.default_rng(0)).shape == clip.shape
