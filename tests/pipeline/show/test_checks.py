"""The checks on sound clips, and on clips in millimetres, mirrored, upside down or with another axis up."""

import numpy as np
import pytest
from numpy.typing import NDArray

from data.clean.bodies import clean
from data.clip_name import ClipName
from data.raw.clip_of_joints import raw_clip
from pipeline.demo.made_clips import MadeDataset, clip_joints
from pipeline.pages.skeleton_player import MovingSkeleton
from pipeline.show.checks import checks


@pytest.fixture(params=[1, 2, 3], ids="camera {}".format)
def person(request: pytest.FixtureRequest) -> NDArray[np.float32]:
    """(T, 1, V, 3) metres, seen by each camera."""
    dataset = MadeDataset((1,), subjects=1, replications=1, frames=(20, 20), seed=3)
    joints = clip_joints(ClipName(1, request.param, 1, 1, 1), dataset, np.random.default_rng(0))
    return joints[:, None].astype(np.float32)


def warnings(joints: NDArray[np.float32]) -> str:
    return " ".join(check.text for check in checks(MovingSkeleton("clip", "", joints, "y")) if check.wrong)


def test_a_right_clip_gets_its_size_and_no_warning(person: NDArray[np.float32]) -> None:
    findings = checks(MovingSkeleton("clip", "", person, "y"))
    assert not any(finding.wrong for finding in findings)
    assert "in 20 of 20 frames" in findings[0].text


@pytest.mark.parametrize(
    ("change", "warning"),
    [
        (np.diag([1000, 1000, 1000]), "must be in metres"),
        (np.diag([-1, 1, 1]), "The body is mirrored"),
        (np.diag([1, -1, -1]), "stands on its head"),
        (np.array([[1, 0, 0], [0, 0, -1], [0, 1, 0]]), "another axis than y points up"),
    ],
    ids=["millimetres", "mirrored", "upside down", "z up"],
)
def test_wrong_units_sides_and_axes_are_named(
    person: NDArray[np.float32], change: NDArray[np.float64], warning: str
) -> None:
    assert warning in warnings((person @ change).astype(np.float32))


def test_a_stored_clip_is_checked_as_a_raw_one(person: NDArray[np.float32]) -> None:
    stored = clean(raw_clip(person, "clip"), "shift-gcn").joints.transpose(1, 0, 2, 3)  # (T, M, V, 3), z up
    findings = checks(MovingSkeleton("clip", "", stored, "z"))
    assert not any(finding.wrong for finding in findings)
    mirrored = checks(MovingSkeleton("clip", "", stored * np.array([-1, 1, 1], np.float32), "z"))
    assert ["The body is mirrored" in finding.text for finding in mirrored if finding.wrong] == [True]


def test_a_body_that_comes_and_goes_is_counted(person: NDArray[np.float32]) -> None:
    both = np.concatenate((person, person + 1), axis=1)
    both[5:, 1] = 0
    texts = [check.text for check in checks(MovingSkeleton("clip", "", both, "y"))]
    assert any("Body 2 is in 5 of 20 frames" in text for text in texts)
    both[:, 1] = 0
    assert any("Body 2 is in no frame" in text for text in (c.text for c in checks(MovingSkeleton("", "", both, "y"))))
