"""Tells people apart the plain way, with loops over frames and bodies. Tests compare the fast code with it.

A person is a dictionary: frame -> pose (25, 3) in metres.
"""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
Person = dict[int, Array]


def apart(pose: Array, other: Array) -> float:
    total = 0.0
    for v in range(25):
        for axis in range(3):
            total += float(pose[v, axis] - other[v, axis]) ** 2
    return math.sqrt(total / 25)


def person_of(body: Array) -> Person:
    return {t: body[t] for t in range(len(body)) if body[t].sum() != 0}


def body_of(person: Person, length: int) -> Array:
    body = np.zeros((length, 25, 3))
    for t, pose in person.items():
        body[t] = pose
    return body


def followed(bodies: list[Array]) -> list[Person]:
    """People from frame to frame: the nearest bodies, when each is the other's nearest and they are within 0.5 m."""
    people: list[Person] = []
    owner: dict[tuple[int, int], Person] = {}  # (frame, body) -> the person
    for t in range(len(bodies[0])):
        now = [b for b in range(len(bodies)) if bodies[b][t].sum() != 0]
        before = [b for b in range(len(bodies)) if t and bodies[b][t - 1].sum() != 0]
        for b in now:
            distances = {c: apart(bodies[c][t - 1], bodies[b][t]) for c in before}
            if distances and min(distances.values()) <= 0.5:
                nearest = min(distances, key=lambda c: distances[c])
                back = {d: apart(bodies[nearest][t - 1], bodies[d][t]) for d in now}
                if min(back, key=lambda d: back[d]) == b:
                    owner[t, b] = owner[t - 1, nearest]
                    owner[t, b][t] = bodies[b][t]
                    continue
            owner[t, b] = {t: bodies[b][t]}
            people.append(owner[t, b])
    return people


def chained(pieces: list[Person]) -> list[Person]:
    """Pieces that begin within 0.5 m of where another ended, earlier, are joined to it: the nearest pair first."""
    people: list[Person] = []
    for t in sorted({min(piece) for piece in pieces}):
        beginning = [piece for piece in pieces if min(piece) == t]
        ended = [person for person in people if max(person) < t]
        while True:
            pairs = [
                (apart(person[max(person)], piece[t]), i, j)
                for i, person in enumerate(ended)
                for j, piece in enumerate(beginning)
            ]
            if not pairs or min(pairs)[0] > 0.5:
                break
            _, i, j = min(pairs)
            ended.pop(i).update(beginning.pop(j))
        people += [dict(piece) for piece in beginning]
    return people


def two_actors(pieces: list[Person]) -> list[Person]:
    """A piece joins an actor whom it shares at most one frame with; else it is the second actor, or left out."""
    actors: list[Person] = []
    for piece in pieces:
        free = [actor for actor in actors if len(actor.keys() & piece.keys()) <= 1]
        if free:
            min(free, key=lambda actor: where_they_meet(actor, piece)).update(piece)
        elif len(actors) < 2:
            actors.append(dict(piece))
    return actors


def where_they_meet(actor: Person, piece: Person) -> float:
    _, t, s = min((abs(t - s), t, s) for t in actor for s in piece)
    return apart(actor[t], piece[s])
