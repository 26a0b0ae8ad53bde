"""Every reader of files that a user may have got from others, and an intact input for each, which the fuzzer breaks.

Each reader imports what it needs when it is called, so that a process that reads arrays need not load torch.
"""

import pickle
import shutil
from collections.abc import Callable, Mapping
from importlib import resources
from pathlib import Path

import numpy as np


def write_seeds(folder: Path) -> None:
    """Write an intact input of every kind; the name of the file is the kind."""
    import torch
    from safetensors.torch import save_file

    from models.shift_gcn.network import ShiftGCN
    from pipeline.workspace.config import dump_config
    from tests.data.stores.test_skeleton_store import coming_and_going, write_store
    from tests.shared.made_features import Made, made_workspace
    from tests.shared.made_skeletons import made_files, write_zip

    made = Made(actions=12, unseen=(3, 7), val_unseen=(2, 9), train_clips=3, test_clips=2)
    context = made_workspace(folder / "work", made)
    shutil.copy(context.workspace.features("test"), folder / "features.h5")
    shutil.copy(context.workspace.text, folder / "text.h5")
    write_store(folder / "skeletons.h5", [coming_and_going(number) for number in range(4)])
    state = {name: tensor.contiguous() for name, tensor in ShiftGCN(3).state_dict().items()}
    save_file(state, folder / "weights.safetensors", {"format_version": "1", "actions": "[1, 2, 3]"})
    torch.save(state, folder / "weights.pt")
    torch.save({name: state[name] for name in ("fc.weight", "fc.bias")}, folder / "small.pt")
    np.save(folder / "array.npy", np.arange(24, dtype=np.float32).reshape(6, 4))
    clips, labels = np.ones((3, 6, 150), np.float32), np.eye(3)
    np.savez_compressed(folder / "arrays.npz", x_train=clips, x_test=clips, y_train=labels, y_test=labels)
    names = [f"S001C001P001R001A{action:03d}.skeleton" for action in range(1, 9)]
    (folder / "label.pkl").write_bytes(pickle.dumps((names, list(range(8)))))
    write_zip(folder / "clips.zip", made_files(4, frames=(3, 6)))
    texts = "".join(f'A{action:03d},wave {action},"a hand, waving",someone waves\n' for action in range(1, 20))
    (folder / "descriptions.csv").write_text("action,label,local,global\n" + texts, "utf-8")
    lists = "Training videos: \n0002-L, 0002-M\nValidataion videos: \n0003-L, 0003-M\n"
    (folder / "cross-subject.txt").write_text(lists, "utf-8")
    write_recordings(folder)
    (folder / "config.toml").write_text(dump_config(context.config), "utf-8")
    shutil.rmtree(folder / "work")


RECORDINGS = {  # the file of each layout that is broken, and the layout
    "csv.csv": "csv", "utkinect.txt": "kinect-v1", "mediapipe.json": "mediapipe", "kinect.json": "kinect-v2-json",
    "zed.mat": "zed-34", "smpl.npy": "smpl-22", "ntu.skeleton.npy": "ntu-npy", "mocap.bvh": "bvh", "pyskl.pkl": "pyskl",
}  # fmt: skip


def write_recordings(folder: Path) -> None:
    """Write a recording of every kind of file."""
    from data.layouts.layout import load_layout
    from tests.data.layouts.made_recordings import person, points_of, recording_of

    text = resources.files("data.layouts").joinpath("mediapipe.toml").read_bytes()
    (folder / "layout.toml").write_bytes(text)
    for file, name in RECORDINGS.items():
        layout = load_layout(name)
        (folder / file).write_bytes(recording_of(layout, points_of(person(8), layout)))


def read_recording(path: Path) -> object:
    """Read a recording, and guess its layout."""
    from data.errors import DataError
    from data.layouts.layout import load_layout
    from data.recordings.guess import guess_layout
    from data.recordings.readers import open_recording

    layout = load_layout(RECORDINGS[path.name])
    with path.open("rb") as stream:
        try:
            guess_layout(str(path), stream)
        except DataError:
            stream.seek(0)
        return [layout.to_ntu(block.points) for block in open_recording(stream, str(path), layout).blocks]


def read_list(path: Path) -> object:
    """Read a protocol of PKU-MMD."""
    from data.protocol_list import read_protocol_list

    return read_protocol_list(path)


def read_layout(path: Path) -> object:
    """Read a layout of a user's own."""
    from data.layouts.layout import load_layout

    return load_layout(str(path))


def read_store(path: Path) -> object:
    """Read the clips and the record of a skeletons.h5."""
    from data.stores.h5 import read_record
    from data.stores.skeleton_store import SkeletonStore

    with SkeletonStore(path) as store:
        return read_record(path), store.batch(np.arange(min(8, len(store))), 40)


def read_features(path: Path) -> object:
    """Read a features file and its record."""
    from data.stores import feature_store, h5

    return feature_store.read_features(path), h5.read_record(path)


def read_text(path: Path) -> object:
    """Read a text.h5 and its record."""
    from data.stores import h5, text_store

    return text_store.read_text_features(path), h5.read_record(path)


def read_weights(path: Path) -> object:
    """Read a checkpoint, and the record of a .safetensors file."""
    from models.backbone.checkpoint import load_network
    from pipeline.workspace.provenance import read_record

    return (read_record(path) if path.suffix == ".safetensors" else None), load_network(path)


def read_npy(path: Path) -> object:
    """Read a .npy file as a matrix, and row by row."""
    from data.formats.npy_file import load_matrix
    from data.published.array_rows import npy_rows

    with npy_rows(path) as rows:
        return load_matrix(path), list(rows.blocks(4))


def read_npz(path: Path) -> object:
    """Read all clips of an .npz archive."""
    from data.published.skeletons import npz_clips, npz_names

    return list(npz_clips(path, npz_names(path), "shift-gcn"))


def read_label(path: Path) -> object:
    """Read the names and labels of a label pickle."""
    from data.formats.label_pickle import read_label_pickle

    return read_label_pickle(path)


def read_clips(path: Path) -> object:
    """Read all clips of a zip archive. When one clip is refused, the archive counts as refused."""
    from data.raw.skeleton_file import parse_clip
    from data.raw.sources import find_clips

    return [parse_clip(source.read(), str(source)) for _, source in find_clips([path])[0]]


def read_csv(path: Path) -> object:
    """Read a description file."""
    from descriptions.loader import read_descriptions

    return read_descriptions(path)


def read_config(path: Path) -> object:
    """Read a config.toml."""
    from pipeline.workspace.config import load_config

    return load_config(path)


READERS: Mapping[str, Callable[[Path], object]] = {
    "skeletons.h5": read_store, "features.h5": read_features, "text.h5": read_text,
    "weights.safetensors": read_weights, "weights.pt": read_weights, "small.pt": read_weights,
    "array.npy": read_npy, "arrays.npz": read_npz, "label.pkl": read_label, "clips.zip": read_clips,
    "descriptions.csv": read_csv, "config.toml": read_config, "layout.toml": read_layout,
    "cross-subject.txt": read_list,
    **dict.fromkeys(RECORDINGS, read_recording),
}  # fmt: skip
