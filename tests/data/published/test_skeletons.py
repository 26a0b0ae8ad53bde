"""Padded and looped clips are cut so that looping them again gives the same array."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from data.clean.bodies import CleanClip
from data.clip_name import ClipName
from data.errors import DataError
from data.published.skeletons import LabelledArray, array_clips, label_path_of


def unlooped(folder: Path, clip: np.ndarray) -> CleanClip | DataError:
    path = folder / "one_data_joint.npy"
    np.save(path, clip[None])
    name = ClipName(1, 1, 1, 1, 1)
    ((clip_name, cut),) = array_clips([LabelledArray(path, label_path_of(path), [name])])
    assert clip_name == name
    return cut


@given(
    length=st.integers(1, 40),
    frames=st.integers(1, 60),
    bodies=st.integers(1, 2),
    seed=st.integers(0, 9),
    still=st.booleans(),
)
def test_looping_a_cut_clip_gives_the_same_array(
    tmp_path_factory: pytest.TempPathFactory, length: int, frames: int, bodies: int, seed: int, still: bool
) -> None:
    generator = np.random.default_rng(seed)
    once = np.zeros((3, length, 25, 2), np.float32)
    once[..., :bodies] = np.float32(generator.integers(1, 3, size=(3, 1 if still else length, 25, bodies)))
    once[:, :, 1, 0] = 0
    clip = np.take(once, np.arange(frames) % length, axis=1)  # (C, T, V, M)
    cut = unlooped(tmp_path_factory.getbasetemp(), clip)
    assert isinstance(cut, CleanClip)
    period = cut.joints.shape[1]
    assert period <= min(length, frames)
    assert period == 1 or not still
    assert cut.period == (period, period if bodies == 2 else 0)
    again = cut.joints[:, np.arange(frames) % period].transpose(3, 1, 2, 0)  # (C, T, V, M)
    np.testing.assert_array_equal(again, clip[..., :bodies])


def test_clips_that_can_not_be_used_are_reported(tmp_path: Path) -> None:
    clip = np.zeros((3, 30, 25, 2), np.float32)
    assert "all coordinates are zero" in str(unlooped(tmp_path, clip))
    clip[0, 2, 3, 1] = np.inf
    assert "NaN or infinite" in str(unlooped(tmp_path, clip))
    clip[0, 2] = 1
    clip[0, 2, 1, 0] = 0.5
    with pytest.raises(DataError, match="shift-gcn recipe"):
        unlooped(tmp_path, clip)


def test_the_label_file_is_named_after_the_array() -> None:
    assert label_path_of(Path("x/train_data_joint.npy")) == Path("x/train_label.pkl")
    assert label_path_of(Path("val_data.npy")) == Path("val_label.pkl")
    with pytest.raises(DataError, match="expected a name like"):
        label_path_of(Path("train_data_bone.npy"))
