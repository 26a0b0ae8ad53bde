"""Name the action in a .skeleton file with onnxruntime and numpy alone: python run_onnx.py FOLDER CLIP

The clip must have the frames a second that model.json tells (input, frames_per_second).
"""

# mypy: ignore-errors
import json
import sys
from pathlib import Path

import numpy as np
import onnxruntime

np.seterr(over="ignore", invalid="ignore")  # what is not finite is refused below


def fields(lines, number):  # the next line, which has this number of fields
    fields = next(lines).split()
    if len(fields) != number:
        raise ValueError(f"{len(fields)} fields, not {number}")
    return fields


def read(path):  # (4, T, 25, 3) metres: the bodies that stand first to fourth in each frame's list, zero where absent
    text = Path(path).read_bytes().rstrip()
    lines = iter(text.split(b"\n"))
    bodies = np.zeros((4, int(*fields(lines, 1)), 25, 3), np.float32)
    for frame in range(bodies.shape[1]):
        for place in range(int(*fields(lines, 1))):
            np.array(fields(lines, 10), float)  # the body's id, and nine numbers that are not used
            joints = [fields(lines, 12) for _ in range(25)] if int(*fields(lines, 1)) == 25 else []
            bodies[place : place + 1, frame] = np.array(joints, float)[:, :3]
    if b"_" in text or next(lines, None) is not None or not np.isfinite(bodies).all():
        raise ValueError("more than the frames, or a coordinate that is not finite")
    return bodies.astype(float)


def rotation(vector, target):  # (3, 3): takes the direction of `vector` to the unit vector `target`
    axis = np.cross(vector, target)
    if np.abs(axis).sum() < 1e-6:
        return np.eye(3)
    angle = np.arccos(np.clip(vector @ target / np.linalg.norm(vector), -1, 1))
    x, y, z = axis / np.linalg.norm(axis)
    cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    return np.eye(3) + np.sin(angle) * cross + (1 - np.cos(angle)) * cross @ cross


def prepare(bodies, frames):  # (1, 3, frames, 25, 2), by the recipe shift-gcn
    there = bodies.sum((2, 3)) != 0
    energy = [body[seen].std((0, 1)).sum() if seen.any() else -1 for body, seen in zip(bodies, there)]
    kept = [k for k in np.argsort(np.negative(energy), kind="stable")[:2] if there[k].any()]
    kept = [bodies[k][: np.flatnonzero(there[k])[-1] + 1] if there[k, 0] else bodies[k][there[k]] for k in kept]
    length = max(len(body) for body in kept)
    shown = np.arange(frames) * length // frames if length > frames else np.arange(frames)
    clip = np.stack([body[shown % len(body)] for body in kept])
    clip = np.where(clip.sum(-1, keepdims=True) != 0, clip - clip[0][:, 1:2], 0)
    clip = clip @ rotation(clip[0, 0, 1] - clip[0, 0, 0], np.array([0, 0, 1.0])).T
    clip = clip @ rotation(clip[0, 0, 8] - clip[0, 0, 4], np.array([1.0, 0, 0])).T
    clip = np.concatenate((clip, np.zeros((2 - len(clip), *clip.shape[1:]))))
    clip = clip.transpose(3, 1, 2, 0)[None].astype(np.float32)
    if not np.isfinite(clip).all():
        raise ValueError("coordinates are too far apart")
    return clip


def size(body):  # metres from end to end, the median over frames, of a prepared body (3, T, 25)
    there = (body != 0).any(0)  # (T, 25)
    extent = np.where(there, body, -np.inf).max(2) - np.where(there, body, np.inf).min(2)  # (3, T)
    return np.median(extent.max(0)[there.any(1)]) if there.any() else 0


folder, path = sys.argv[1:] if len(sys.argv) == 3 else sys.exit("usage: python run_onnx.py FOLDER CLIP")
for needed in (Path(folder, "model.json"), Path(folder, "model.onnx"), Path(path)):
    if not needed.exists():
        sys.exit(f"{needed}: no such file; usage: python run_onnx.py FOLDER CLIP, FOLDER being what export wrote")
about = json.loads(Path(folder, "model.json").read_text("utf-8"))
for warning in about["warnings"]:
    print(f"warning: {warning}", file=sys.stderr)
if about["preparation"]["recipe"] != "shift-gcn":
    sys.exit("this example prepares clips by the recipe shift-gcn alone; see model.json for what the model wants")
try:
    clip = prepare(read(path), about["input"]["frames"])
except (OSError, StopIteration, ValueError, IndexError, OverflowError, MemoryError):
    sys.exit(
        f"{path}: can't be read as an NTU .skeleton file of finite numbers with a body in it; it may be cut. "
        "fsvae-pipe convert writes such files from recordings of other sensors"
    )
smallest, largest = about["input"]["body_size"]
if not smallest <= size(clip[0, ..., 0]) <= largest:
    print(
        f"warning: the body measures {size(clip[0, ..., 0]):.4g} m, where a person measures {smallest} to {largest} m: "
        "the coordinates seem not to be in metres, and then this answer means nothing",
        file=sys.stderr,
    )
session = onnxruntime.InferenceSession(Path(folder, "model.onnx"))
values = session.run(None, {"clips": clip})
outputs = {output.name: value[0] for output, value in zip(session.get_outputs(), values)}
if not all(np.isfinite(values).all() for values in outputs.values()):
    sys.exit(f"{path}: its coordinates are so large that the network gives NaN or infinite numbers")
seen = "gate" in outputs and outputs["gate"] < about["gate_threshold"]
probabilities = outputs["seen_probabilities" if seen else "unseen_probabilities"]
actions = [action for action in about["actions"] if (action["kind"] == "seen") == seen]
for k in np.argsort(-probabilities, kind="stable")[:3]:
    print(f"{probabilities[k]:.4f}  {actions[k]['action']}  {actions[k]['label']}")
