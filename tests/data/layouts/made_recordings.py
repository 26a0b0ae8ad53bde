"""Makes recordings in every layout that is read: a standing person who moves, facing the camera, and files of it."""

import io
import json
import pickle
from collections.abc import Mapping

import numpy as np
import scipy.io
from numpy.typing import NDArray

from data.joints import JOINT_NAMES
from data.layouts.layout import Layout, layout_names, load_layout
from data.layouts.readers import ArrayOptions, BvhOptions, JsonOptions, TextOptions

FPS = 30
PERSON_M = {  # in NTU's axes: the person's right is at larger x, the front at smaller z
    "spine_base": (0, 0, 3), "spine_mid": (0, 0.3, 3), "neck": (0, 0.6, 3), "head": (0, 0.74, 2.99),
    "left_shoulder": (-0.17, 0.47, 3), "left_elbow": (-0.22, 0.2, 3.02), "left_wrist": (-0.24, -0.04, 2.96),
    "left_hand": (-0.24, -0.11, 2.94), "left_hip": (-0.08, -0.02, 3), "left_knee": (-0.1, -0.43, 2.98),
    "left_ankle": (-0.11, -0.82, 3.03), "left_foot": (-0.12, -0.88, 2.9), "spine_shoulder": (0, 0.52, 3),
    "left_hand_tip": (-0.24, -0.19, 2.93), "left_thumb": (-0.22, -0.1, 2.9),
}  # fmt: skip
READ = tuple(name for name in layout_names() if load_layout(name).kind not in ("", "skeleton"))


def person(frames: int, seed: int = 0) -> NDArray[np.float32]:
    """A person (T, 25, 3) in metres and NTU's axes. Arms and legs swing."""
    rng = np.random.default_rng(seed)
    mirror = np.array([-1, 1, 1])
    rest = np.array(
        [PERSON_M.get(name) or mirror * PERSON_M[name.replace("right", "left")] for name in JOINT_NAMES], np.float64
    )
    limbs = [place for place, name in enumerate(JOINT_NAMES) if "_" in name and name.split("_")[0] in ("left", "right")]
    swing = np.zeros((frames, len(JOINT_NAMES), 3))
    swing[:, limbs] = 0.03 * np.sin(np.arange(frames)[:, None, None] / 7 + rng.uniform(0, 6, (len(limbs), 3)))
    return (rest + swing).astype(np.float32)


def points_of(joints: NDArray[np.float32], layout: Layout) -> NDArray[np.float64]:
    """The source's points (..., J, 3) of joints (..., 25, 3): each is one of the joints that are made of it."""
    indices = layout._indices
    rotated = joints.astype(np.float64) @ layout._rotation / (layout.unit_m or 0.01)
    uses = []  # for each joint of the source, ours that is made of the fewest others beside it
    for joint in range(len(layout.joints)):
        made_of_it = [(len(of), place) for place, of in enumerate(indices) if joint in of]
        uses.append(min(made_of_it, default=(0, 0))[1])
    return rotated[..., uses, :]


def recording_of(layout: Layout, points: NDArray[np.float64]) -> bytes:
    """A file of the layout with points (T, J, 3) of one body."""
    options = layout.reader
    if isinstance(options, TextOptions):
        return text_with_header(layout, points) if options.header else text_without_header(layout, points)
    if isinstance(options, JsonOptions):
        return json_of(layout, points)
    if isinstance(options, BvhOptions):
        return bvh_of(points, layout)
    stream = io.BytesIO()
    if isinstance(options, ArrayOptions):
        if options.time:
            times = np.arange(len(points))[None] * 33
            scipy.io.savemat(stream, {options.keys[0]: points, options.time: times}, do_compression=True)
        else:
            np.save(stream, points)
    elif layout.kind == "dict":
        np.save(stream, {"skel_body0": points, "nbodys": [1] * len(points)}, allow_pickle=True)  # type: ignore[arg-type]
    else:
        clip = {"frame_dir": "S001C001P001R001A001", "label": 0, "keypoint": points[None].astype(np.float32)}
        pickle.dump({"split": {"train": ["S001C001P001R001A001"]}, "annotations": [clip]}, stream)
    return stream.getvalue()


def text_with_header(layout: Layout, points: NDArray[np.float64], delimiter: str = ",") -> bytes:
    assert isinstance(layout.reader, TextOptions)
    head = [layout.reader.time_column, layout.reader.body_column]
    columns = [layout.reader.column.format(joint=joint, axis=axis) for joint in layout.joints for axis in "xyz"]
    lines = [delimiter.join(head + columns)]
    for frame, row in enumerate(points.reshape(len(points), -1).tolist()):
        lines.append(delimiter.join([repr(frame / FPS / layout.reader.time_unit_s), "1", *map(repr, row)]))
    return ("\n".join(lines) + "\n").encode()


def text_without_header(layout: Layout, points: NDArray[np.float64]) -> bytes:
    options = layout.reader
    assert isinstance(options, TextOptions)
    lines = []
    for frame, joints in enumerate(points.tolist()):
        texts = [" ".join(map(repr, [*joint, *[1.0] * (options.joint_fields - 3)])) for joint in joints]
        absent = ["0 0 0"] * len(layout.joints) * (options.bodies - 1)
        first = [str(frame)] if options.first else []
        lines += texts if options.one_joint_a_line else [" ".join([*first, *texts, *absent])]
    return ("\n".join(lines) + "\n").encode()


def json_of(layout: Layout, points: NDArray[np.float64]) -> bytes:
    options = layout.reader
    assert isinstance(options, JsonOptions)
    frames = []
    for number, joints in enumerate(points.tolist()):
        records = [
            {
                **dict(zip(options.coordinates, joint, strict=True)),
                **({options.joint_name: name} if options.joint_name else {}),
            }
            for name, joint in zip(layout.joints, joints, strict=True)
        ]
        frame: dict[str, object] = {options.points: records}
        frame |= {options.number: number} if options.number else {}
        frame |= {options.time: number / FPS / options.time_unit_s} if options.time else {}
        frames.append(frame)
    key = options.frames[0]
    return json.dumps({"made": True, options.fps or "rate": FPS, key: frames} if key else frames).encode()


def bvh_of(points: NDArray[np.float64], layout: Layout) -> bytes:
    """A BVH whose joints all hang on the root and have positions, so that any points can be written."""
    channels = "CHANNELS 3 Xposition Yposition Zposition"
    lines = ["HIERARCHY", f"ROOT {layout.joints[0]}", "{", "OFFSET 0 0 0", channels]
    for joint in layout.joints[1:]:
        lines += [f"JOINT made:{names_in_file(layout)[joint]}", "{", "OFFSET 0 0 0", channels, "}"]
    lines += ["}", "MOTION", f"Frames: {len(points)}", f"Frame Time: {1 / FPS}"]
    moved = points.copy()
    moved[:, 1:] -= points[:, :1]
    lines += [" ".join(map(repr, row)) for row in moved.reshape(len(points), -1).tolist()]
    return ("\n".join(lines) + "\n").encode()


def names_in_file(layout: Layout) -> Mapping[str, str]:
    """A name for each joint that no joint before it is found by."""
    assert isinstance(layout.reader, BvhOptions)
    taken: dict[str, str] = {}
    for joint in layout.joints:
        names = layout.reader.names.get(joint, (joint,))
        taken[joint] = next((name for name in names if name not in taken.values()), joint)
    return taken
