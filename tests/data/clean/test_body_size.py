import numpy as np
import pytest

from data.clean.body_size import body_sizes_m, wrong_size


def test_the_size_is_the_largest_extent_of_the_joints_that_are_there() -> None:
    joints = np.zeros((3, 25, 3), np.float32)
    joints[0, :3] = [[0.1, 0.1, 3.0], [0.2, 0.1, 3.5], [0.1, 1.8, 3.2]]  # absent joints, at zero, are 3 m away
    joints[1, 0] = [0.1, 0.1, 3.0]
    np.testing.assert_allclose(body_sizes_m(joints), [1.7, 0, 0], rtol=1e-6)


@pytest.mark.parametrize(
    ("sizes_m", "said"),
    [
        ([1.7, 1.2, 0.4], ""),
        ([1.7, 1700, 0.4, 0, 0], ""),  # most of those that are there
        ([0, 0], ""),
        ([], ""),
        ([1700, 1200, 1.7], "measure 1200 m"),
        ([170, 120], "measure 145 m"),
        ([0.0017, 0.0012], "measure 0.00145 m"),
    ],
)
def test_most_bodies_have_the_size_of_a_person(sizes_m: list[float], said: str) -> None:
    wrong = wrong_size(np.array(sizes_m))
    assert said in wrong
    assert bool(wrong) == bool(said)
