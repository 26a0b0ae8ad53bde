"""Makes skeletons for tests and benchmarks: smooth random motion of bodies of 25 joints, and raw files of it."""

import zipfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from data.joints import BONES, NUM_JOINTS
from data.raw.skeleton_file import format_clip


def moving_body(rng: np.random.Generator, frames: int, energy: float = 0.1) -> NDArray[np.float32]:
    """A body with swinging bones, about 3 m in front of the camera: (T, 25, 3) in metres."""
    steps = rng.normal(size=(NUM_JOINTS, 3)) * [0.15, 0.3, 0.1]
    times = np.arange(frames)[:, None, None]
    swing = energy * np.sin(times * rng.uniform(0.05, 0.3, (NUM_JOINTS, 3)) + rng.uniform(0, 6, (NUM_JOINTS, 3)))
    joints = np.zeros((frames, NUM_JOINTS, 3))
    joints[:, 0] = [rng.normal() * 0.5, 0.1, 3 + rng.normal() * 0.3]
    for parent, child in BONES:
        joints[:, child] = joints[:, parent] + steps[child] + swing[:, child]
    return joints.astype(np.float32)


def moving_clip(rng: np.random.Generator, frames: int, bodies: int = 1) -> NDArray[np.float32]:
    """A clip whose bodies are present in every frame: (T, M, 25, 3) in metres."""
    return np.stack([moving_body(rng, frames) for _ in range(bodies)], axis=1)


def full_clip(joints: NDArray[np.floating[Any]], rng: np.random.Generator) -> bytes:
    """A raw file with all twelve numbers of every joint. With seven digits each, it is as long as an official file."""
    lines = [str(len(joints))]
    for frame in joints:
        lines.append(str(len(frame)))
        for body, places in enumerate(frame):
            lean = rng.normal(size=2) * 0.1
            lines += [f"{72057594037944738 + body} 0 1 1 1 1 0 {lean[0]:.7G} {lean[1]:.7G} 2", "25"]
            rest = np.concatenate(
                [rng.uniform(0, 400, (25, 2)), rng.uniform(0, 1900, (25, 2)), rng.normal(size=(25, 4)) * 0.5], axis=1
            )
            for numbers in np.concatenate([places, rest], axis=1).tolist():
                lines.append(" ".join(f"{number:.7G}" for number in numbers) + " 2")
    return ("\r\n".join(lines) + "\r\n").encode()


def write_folder(folder: Path, files: Mapping[str, bytes]) -> Path:
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return folder


def write_zip(path: Path, files: Mapping[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return path


def clip_names(number: int, actions: int = 5) -> Iterable[str]:
    """The first `number` clip names of `actions` actions, 3 cameras, 40 subjects and 32 setups."""
    for i in range(number):
        place, action = divmod(i, actions)
        camera, subject, setup, replication = place % 3, place // 3 % 40, place // 120 % 32, place // 3840
        yield f"S{setup + 1:03d}C{camera + 1:03d}P{subject + 1:03d}R{replication + 1:03d}A{action + 1:03d}"


def made_files(number: int, seed: int = 0, frames: tuple[int, int] = (5, 40)) -> dict[str, bytes]:
    """Name -> raw file; one in four has two bodies."""
    rng = np.random.default_rng(seed)
    lengths = rng.integers(*frames, size=number)
    return {
        f"{name}.skeleton": format_clip(moving_clip(rng, int(length), 2 if i % 4 == 3 else 1))
        for i, (name, length) in enumerate(zip(clip_names(number), lengths, strict=True))
    }
