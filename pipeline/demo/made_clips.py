"""Writes raw clips of synthetic people as NTU files, for the demo and for tests that need a data set.

A clip is one (action, subject, replication), seen by one camera. Its random numbers depend only on the seed and the
numbers in its name, so that it is the same whichever other clips are made. Some clips go into a folder, the others into
a zip archive. Some clips hold a second body, and a few files are broken on purpose.
"""

import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from data.clip_name import ClipName
from data.joints import NUM_JOINTS
from data.random_streams import DEMO_CLIP, DEMO_PERSON
from data.raw.skeleton_file import format_clip
from data.stores.files import replacing
from pipeline.demo.made_actions import ACTIONS, FRAMES_PER_SECOND, Style, perform, smooth_noise
from pipeline.demo.made_body import ARM, SIDES, Array, Proportions, pose_joints, proportions, side_joints

CAMERA_HEIGHT_M = 1.0
CAMERA_YAW = (0.7, 0.0, -0.7)  # radians; cameras 1, 2, 3 stand in a row, as those of NTU RGB+D do
NOISE_M = 0.008  # standard deviation of every joint in every frame
LOST_HAND_M, LOST_HAND_SHARE = 0.06, 0.03  # standard deviation and share of frames in which the sensor loses a hand
FIRST_BODY_ID = 72057594037927936  # Kinect's ids are of this size, more than a float64 holds exactly
ZIP_TIME = (2020, 1, 1, 0, 0, 0)  # the same for all files, so that the archive is the same each time


@dataclass(frozen=True)
class MadeDataset:
    """The clips to make: actions x subjects x replications."""

    actions: tuple[int, ...]  # counted from 1, as in the names of files
    subjects: int
    replications: int
    frames: tuple[int, int]  # of the shortest and of the longest clip
    seed: int

    def clips(self) -> Iterator[ClipName]:
        """The names of the clips, in order; the three cameras take turns."""
        for subject in range(1, self.subjects + 1):
            setup = 1 if 2 * subject <= self.subjects else 2
            for replication in range(1, self.replications + 1):
                for action in self.actions:
                    camera = 1 + (action + subject + replication) % len(CAMERA_YAW)
                    yield ClipName(setup, camera, subject, replication, action)


def raw_name(clip: ClipName) -> str:
    """The name of the raw file of `clip`."""
    return f"{clip}.skeleton"


def write_raw_clips(folder: Path, dataset: MadeDataset) -> list[Path]:
    """Write the clips of setup 1 to folder/setup1/ and those of setup 2 to folder/setup2.zip; return both paths.

    setup1/ also gets the broken files of `broken_files`. The zip is renamed to its place when it is whole.
    """
    setup1, setup2 = folder / "setup1", folder / "setup2.zip"
    setup1.mkdir(parents=True, exist_ok=True)
    for name, content in broken_files(dataset):
        (setup1 / name).write_bytes(content)
    with replacing(setup2) as path, zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for clip in dataset.clips():
            content = clip_file(clip, dataset)
            if clip.setup == 1:
                (setup1 / raw_name(clip)).write_bytes(content)
            else:
                entry = zipfile.ZipInfo(raw_name(clip), ZIP_TIME)
                archive.writestr(entry, content, zipfile.ZIP_DEFLATED, compresslevel=1)
    return [setup1, setup2]


def clip_file(clip: ClipName, dataset: MadeDataset) -> bytes:
    """The raw file of `clip`: one body, and a second one in one clip of twelve."""
    rng = DEMO_CLIP.generator(dataset.seed, clip.action, clip.subject, clip.replication)
    person = clip_joints(clip, dataset, rng)  # (T, 25, 3)
    bodies = [person]
    if rng.random() < 1 / 12:
        other = _bystander(len(person), rng) if rng.random() < 0.5 else _furniture(len(person), rng)
        bodies.insert(int(rng.integers(2)), other)
    joints = np.stack(bodies, axis=1)  # (T, M, 25, 3)
    ids = [FIRST_BODY_ID + int(number) for number in rng.integers(1, 10_000, len(bodies)).cumsum()]
    return format_clip(joints, body_ids=ids)


def clip_joints(clip: ClipName, dataset: MadeDataset, rng: np.random.Generator) -> Array:
    """The joints (T, 25, 3) of the acting person as the camera sees them, in metres."""
    body, habit = performer(clip.subject, dataset.seed)
    shortest, longest = dataset.frames
    frames = int(rng.integers(shortest, longest + 1))
    style = Style(
        tempo=habit.tempo * rng.uniform(0.92, 1.08),
        amplitude=habit.amplitude * rng.uniform(0.93, 1.07),
        direction=habit.direction,
        lag=habit.lag,
        reach=(rng.normal(0.0, 0.03), rng.normal(0.0, 0.03), rng.normal(0.0, 0.03)),
        slouch=habit.slouch,
    )
    joints = pose_joints(perform(ACTIONS[clip.action - 1], frames, style, rng), body)  # (T, 25, 3)
    place = np.array([rng.uniform(-0.4, 0.4), -CAMERA_HEIGHT_M, rng.uniform(2.6, 3.4)])
    yaw = CAMERA_YAW[clip.camera - 1] + rng.normal(0.0, 0.08)
    return _with_sensor_noise(_seen_from_camera(joints, yaw, place, rng), rng)


def performer(subject: int, seed: int) -> tuple[Proportions, Style]:
    """The body and the habits of subject number `subject`, counted from 1."""
    rng = DEMO_PERSON.generator(seed, subject)
    body = proportions(rng.uniform(1.52, 1.92), limbs=rng.uniform(0.95, 1.05), width=rng.uniform(0.9, 1.12))
    habit = Style(
        tempo=rng.uniform(0.82, 1.2),
        amplitude=rng.uniform(0.82, 1.15),
        direction=rng.choice([-1.0, 1.0]),
        lag=rng.uniform(-0.35, 0.35),
        slouch=rng.uniform(-0.03, 0.12),
    )
    return body, habit


def _seen_from_camera(joints: Array, yaw: float, place: Array, rng: np.random.Generator) -> Array:
    """Turn `joints` (T, 25, 3) by `yaw` about the vertical and put them at `place` (3,), drifting a little."""
    turn = np.array([[np.cos(yaw), 0.0, np.sin(yaw)], [0.0, 1.0, 0.0], [-np.sin(yaw), 0.0, np.cos(yaw)]])
    frames = len(joints)
    drift = np.zeros((frames, 1, 3))
    for axis in (0, 2):
        metres_per_second = rng.normal(0.0, 0.03)
        drift[:, 0, axis] = metres_per_second * np.arange(frames) / FRAMES_PER_SECOND + 0.01 * smooth_noise(frames, rng)
    seen: Array = joints @ turn.T + place + drift
    return seen


def _with_sensor_noise(joints: Array, rng: np.random.Generator) -> Array:
    """Add a sensor's noise to `joints` (T, 25, 3): a little to all of them, now and then a lot to a hand."""
    noisy = joints + rng.normal(0.0, NOISE_M, joints.shape)
    for side in SIDES:
        lost = rng.random(len(joints)) < LOST_HAND_SHARE  # (T,)
        noisy[:, side_joints(side, ARM[2:])] += (lost[:, None] * rng.normal(0.0, LOST_HAND_M, (len(joints), 3)))[
            :, None
        ]
    return noisy


def _bystander(frames: int, rng: np.random.Generator) -> Array:
    """A second person (T, 25, 3) who only stands there, tracked for a part of the clip and zero in the rest."""
    pose = perform([], frames, Style(), rng)
    side = rng.choice([-1.0, 1.0])
    place = np.array([side * rng.uniform(0.9, 1.3), -CAMERA_HEIGHT_M, rng.uniform(3.2, 3.8)])
    joints = pose_joints(pose, proportions(rng.uniform(1.5, 1.9)))
    joints = _seen_from_camera(joints, rng.normal(0.0, 0.6), place, rng)
    return _tracked_for_a_while(_with_sensor_noise(joints, rng), rng)


def _furniture(frames: int, rng: np.random.Generator) -> Array:
    """A chair that the sensor takes for a body (T, 25, 3): wide, low and trembling, tracked for a part of the clip."""
    place = np.array([rng.uniform(0.8, 1.3), -0.6, rng.uniform(3.0, 3.8)])
    chair = place + rng.uniform(-1.0, 1.0, (NUM_JOINTS, 3)) * [0.5, 0.2, 0.25]
    return _tracked_for_a_while(chair + rng.normal(0.0, 0.015, (frames, NUM_JOINTS, 3)), rng)


def _tracked_for_a_while(joints: Array, rng: np.random.Generator) -> Array:
    """Set `joints` (T, 25, 3) to zero before a random frame and after a later one."""
    first = int(rng.integers(0, len(joints) // 3))
    joints[:first] = 0.0
    joints[first + int(rng.integers(len(joints) // 4, len(joints))) :] = 0.0
    return joints


def broken_files(dataset: MadeDataset) -> Iterator[tuple[str, bytes]]:
    """The names and contents of files that preprocess must refuse, one of each kind."""
    whole = clip_file(ClipName(1, 1, 1, 1, dataset.actions[0]), dataset)
    lines = whole.splitlines(keepends=True)
    action = dataset.actions[0]
    yield raw_name(ClipName(1, 1, 1, 91, action)), whole[: len(whole) // 2]  # cut short
    yield (
        raw_name(ClipName(1, 1, 1, 92, action)),
        b"".join([*lines[:4], b"nan " + lines[4].split(b" ", 1)[1], *lines[5:]]),
    )
    yield raw_name(ClipName(1, 1, 1, 93, action)), b"".join([b"9999\r\n", *lines[1:]])  # it promises 9999 frames
    yield raw_name(ClipName(1, 1, 1, 94, action)), b""
    yield "calibration.skeleton", whole  # the name is not that of a clip
