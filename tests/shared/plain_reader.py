"""Reads and normalises a raw clip the plain way: line by line, with loops over frames and joints.

Tests and benchmarks compare the fast code with it. Coordinates are float32, arithmetic is float64.
"""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tests.data.clean.plain_people import body_of, chained, followed, person_of, two_actors

Array = NDArray[Any]
Body = tuple[int, list[list[float]]]


def read_frames(content: bytes) -> list[list[Body]]:
    """The bodies of each frame in the order of the file, each as (id, 25 x [x, y, z])."""
    lines = iter(content.decode().splitlines())
    frames = []
    for _ in range(int(next(lines))):
        bodies = []
        for _ in range(int(next(lines))):
            body_id = int(next(lines).split()[0])
            joints = []
            for _ in range(int(next(lines))):
                numbers = [float(np.float32(field)) for field in next(lines).split()]
                joints.append(numbers[:3])
            bodies.append((body_id, joints))
        frames.append(bodies)
    return frames


def listed_bodies(frames: list[list[Body]], places: int = 4) -> list[Array]:
    """The bodies told apart by their place in each frame's list, (T, 25, 3) each."""
    bodies = [np.zeros((len(frames), 25, 3)) for _ in range(places)]
    for t, frame in enumerate(frames):
        for place, (_, joints) in enumerate(frame[:places]):
            for v, joint in enumerate(joints):
                bodies[place][t, v] = joint
    return bodies


def identified_bodies(frames: list[list[Body]]) -> list[Array]:
    """The bodies told apart by their id, in the order in which they appear, (T, 25, 3) each."""
    bodies: dict[int, Array] = {}
    for t, frame in enumerate(frames):
        for body_id, joints in frame:
            body = bodies.setdefault(body_id, np.zeros((len(frames), 25, 3)))
            for v, joint in enumerate(joints):
                body[t, v] = joint
    return list(bodies.values())


def seen_frames(body: Array) -> Array:
    return np.array([frame for frame in body if frame.sum() != 0]).reshape(-1, 25, 3)


def by_energy(bodies: list[Array]) -> list[Array]:
    """The bodies, that with the most energy first. The recipe shift-gcn takes two of them."""

    def energy(body: Array) -> float:
        seen = seen_frames(body)
        return sum(float(seen[:, :, axis].std()) for axis in range(3)) if len(seen) else 0.0

    return sorted((body for body in bodies if len(seen_frames(body))), key=energy, reverse=True)


def tracked(bodies: list[Array]) -> list[Array]:
    """The recipe tracked: the two actors made of people who are followed by position."""
    length = len(bodies[0])
    people = by_energy([body_of(person, length) for person in chained(followed(bodies))])
    return [body_of(actor, length) for actor in two_actors([person_of(body) for body in people])]


def denoised(bodies: list[Array]) -> list[Array]:
    """The recipe denoised: drop who is seen briefly or too wide for a person; the two actors made of the others."""
    length = len(bodies[0])
    left = [body_of(person, length) for person in chained([person_of(body) for body in bodies if body.any()])]
    for body in sorted(left, key=lambda body: len(seen_frames(body))):
        if len(left) > 1 and len(seen_frames(body)) <= 11:
            left = [other for other in left if other is not body]
    variances = {}
    for body in list(left):
        calm = []
        for frame in seen_frames(body):
            x, y = frame[:, 0], frame[:, 1]
            if x.max() - x.min() <= 0.8 * (y.max() - y.min()):
                calm.append(frame)
        noisy = len(seen_frames(body)) - len(calm)
        if len(left) > 1 and noisy / len(seen_frames(body)) >= 0.69754:
            left = [other for other in left if other is not body]
            continue
        points = np.array(calm or seen_frames(body)).reshape(-1, 3)
        variances[id(body)] = float(sum(points[:, axis].var() for axis in range(3)))
    left.sort(key=lambda body: variances[id(body)], reverse=True)
    return [body_of(actor, length) for actor in two_actors([person_of(body) for body in left])]


def filled(bodies: list[Array], length: int) -> Array:
    """The bodies looped to `length` frames, (2, length, 25, 3)."""
    looped = np.zeros((2, length, 25, 3))
    for place, body in enumerate(bodies):
        if body[0].sum() == 0:
            body = seen_frames(body)
        last = 0
        for t in range(len(body)):
            if body[t].sum() != 0:
                last = t + 1
        for t in range(length):
            looped[place, t] = body[t % last]
    return looped


def centred(bodies: Array) -> Array:
    out = np.zeros_like(bodies)
    for m in range(bodies.shape[0]):
        for t in range(bodies.shape[1]):
            centre = bodies[0, t, 1]
            for v in range(25):
                if bodies[m, t, v].sum() != 0:
                    out[m, t, v] = bodies[m, t, v] - centre
    return out


def turned(bodies: Array, vector: Array, target: Array) -> Array:
    """All joints turned by the rotation that turns `vector` to `target` (Euler-Rodrigues)."""
    axis = np.cross(vector, target)
    if np.abs(axis).sum() < 1e-6:
        return bodies
    angle = math.acos(min(1.0, max(-1.0, float(np.dot(vector, target)) / float(np.linalg.norm(vector)))))
    if angle < 1e-6:
        return bodies
    a = math.cos(angle / 2)
    b, c, d = -axis / np.linalg.norm(axis) * math.sin(angle / 2)
    matrix = np.array(
        [
            [a * a + b * b - c * c - d * d, 2 * (b * c + a * d), 2 * (b * d - a * c)],
            [2 * (b * c - a * d), a * a + c * c - b * b - d * d, 2 * (c * d + a * b)],
            [2 * (b * d + a * c), 2 * (c * d - a * b), a * a + d * d - b * b - c * c],
        ]
    )
    out = np.zeros_like(bodies)
    for m in range(bodies.shape[0]):
        for t in range(bodies.shape[1]):
            for v in range(25):
                out[m, t, v] = np.dot(matrix, bodies[m, t, v])
    return out


def normalised(bodies: list[Array], length: int) -> Array:
    """The bodies looped, centred and turned, (2, length, 25, 3)."""
    out = centred(filled(bodies, length))
    out = turned(out, out[0, 0, 1] - out[0, 0, 0], np.array([0.0, 0.0, 1.0]))
    return turned(out, out[0, 0, 8] - out[0, 0, 4], np.array([1.0, 0.0, 0.0]))


def plain_clip(content: bytes, recipe: str, length: int) -> Array:
    """A raw file as the network sees it: (3, length, 25, 2)."""
    frames = read_frames(content)
    if recipe == "shift-gcn":
        chosen = by_energy(listed_bodies(frames))[:2]
    elif recipe == "denoised":
        chosen = denoised(identified_bodies(frames))
    else:
        chosen = tracked(listed_bodies(frames, 16))
    return normalised(chosen, length).transpose(3, 1, 2, 0)
