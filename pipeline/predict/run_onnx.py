"""Name the action in a .skeleton file with onnxruntime and numpy alone: python run_onnx.py FOLDER CLIP"""

# mypy: ignore-errors
import json
import sys
from pathlib import Path

import numpy as np
import onnxruntime


def read(path):  # (4, T, 25, 3) metres: the bodies that stand first to fourth in each frame's list, zero where absent
    words = iter(Path(path).read_text().split())
    bodies = np.zeros((4, int(next(words)), 25, 3), np.float32)
    for frame in range(bodies.shape[1]):
        for place in range(int(next(words))):
            numbers = [next(words) for _ in range(11 + 25 * 12)][11:]
            bodies[place : place + 1, frame] = np.array(numbers, float).reshape(25, 12)[:, :3]
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
    return clip.transpose(3, 1, 2, 0)[None].astype(np.float32)


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
except (OSError, StopIteration, ValueError):
    sys.exit(f"{path}: can't be read as an NTU .skeleton file with a body in it; it may be cut")
session = onnxruntime.InferenceSession(Path(folder, "model.onnx"))
outputs = session.run(None, {"clips": clip})
found = {output.name: values[0] for output, values in zip(session.get_outputs(), outputs)}
seen = "gate" in found and found["gate"] < about["gate_threshold"]
probabilities = found["seen_probabilities" if seen else "unseen_probabilities"]
actions = [action for action in about["actions"] if (action["kind"] == "seen") == seen]
for k in np.argsort(-probabilities, kind="stable")[:3]:
    print(f"{probabilities[k]:.4f}  {actions[k]['action']}  {actions[k]['label']}")
