"""Arrays of a fixed length -> skeletons.h5, through the command."""

import json
import pickle
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result
from numpy.typing import NDArray

from data import h5
from data.bodies import clean
from data.cleaning import collect
from data.clip_name import ClipName
from data.errors import DataError
from data.skeleton_file import format_clip, parse_clip
from data.skeleton_store import SkeletonStore, SkeletonWriter
from pipeline.cli import main
from pipeline.clip_stream import clip_batches
from pipeline.provenance import RECIPE
from pipeline.recognizer import Recognizer
from pipeline.workspace import Workspace
from tests.conftest import TinyRun, lay_out
from tests.rewritten import rewrite_record

ACTIONS = 6
FRAMES = 300
TRAIN, TEST = (1, 2), (3,)
CUSTOM = """
[dataset]
name = "made"
protocol = "custom"
train_subjects = [1, 2]
split = "custom"
unseen = ["A002"]
val_unseen = ["A004"]
"""

Clips = dict[ClipName, NDArray[np.float32]]


def call(*arguments: str | Path) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def body(generator: np.random.Generator, frames: int) -> NDArray[np.float32]:
    """(T, V, C) metres: a random body that moves."""
    rest = generator.normal(loc=(0.2, 0.1, 3), scale=0.4, size=(25, 3))
    path: NDArray[np.float64] = rest + generator.normal(scale=0.05, size=(frames, 25, 3)).cumsum(axis=0)
    return path.astype(np.float32)


def raw_clips(subjects: Sequence[int], seed: int) -> Clips:
    """(T, M, V, C) by name: short and long, one and two bodies, gaps, a second body that comes and goes."""
    generator = np.random.default_rng(seed)
    clips = {}
    for subject in subjects:
        for action in range(1, ACTIONS + 1):
            frames = int(generator.integers(20, 200)) if action > 1 else (1, 299, 300)[subject - 1]
            joints = np.zeros((frames, 2, 25, 3), np.float32)
            joints[:, 0] = body(generator, frames)
            if action == 3:
                joints[:, 1] = body(generator, frames)
            if action == 4:
                joints[: frames // 2, 1] = 0.5 * body(generator, frames // 2)  # shorter, and ranked second
            if action == 5:
                joints[frames // 3 : frames // 2, 0] = 0  # a gap
                joints[3:7, 0, 10] = 0  # joints that were not seen
            clips[ClipName(1, 1, subject, 1, action)] = joints
    return clips


def reference(path: Path, clips: Clips) -> NDArray[np.float32]:
    """What preprocess makes of `clips`, padded and looped: (N, 3, 300, 25, 2), in the order of the names."""
    cleaned = [(name, clean(parse_clip(format_clip(clips[name]), str(name)), "shift-gcn")) for name in sorted(clips)]
    with h5.writing(path, {}) as file:
        writer = SkeletonWriter(file)
        writer.append(collect(cleaned))
        writer.finish()
    return batch(path)


def batch(path: Path) -> NDArray[np.float32]:
    with SkeletonStore(path) as store:
        return store.batch(np.arange(len(store)), FRAMES)


def write_array(
    folder: Path, prefix: str, names: Sequence[ClipName], array: NDArray[np.float32], seed: int = 0
) -> Path:
    """PREFIX_data_joint.npy and PREFIX_label.pkl, clips in a mixed order."""
    order = np.random.default_rng(seed).permutation(len(names))
    folder.mkdir(exist_ok=True)
    path = folder / f"{prefix}_data_joint.npy"
    np.save(path, array[order])
    labels = ([f"{names[row]}.skeleton" for row in order], [names[row].action - 1 for row in order])
    (folder / f"{prefix}_label.pkl").write_bytes(pickle.dumps(labels))
    return path


@pytest.fixture
def work(tmp_path: Path) -> Path:
    folder = tmp_path / "work"
    folder.mkdir()
    (folder / "config.toml").write_text(CUSTOM)
    return folder


@pytest.fixture
def arrays(tmp_path: Path) -> list[Path]:
    paths = []
    for prefix, subjects in (("train", TRAIN), ("val", TEST)):
        clips = raw_clips(subjects, 1)
        array = reference(tmp_path / f"{prefix}.h5", clips)
        paths.append(write_array(tmp_path / "arrays", prefix, sorted(clips), array))
    return paths


def refused(work: Path, *paths: Path) -> str:
    result = call("-w", work, "import", "skeletons", *paths)
    assert result.exit_code == 1, result.output
    assert "Traceback" not in result.output
    assert not list(work.glob("*.h5"))
    assert not list(work.glob(".*.partial"))
    return " ".join(result.stderr.split())


def test_arrays_come_back_bit_for_bit(work: Path, arrays: list[Path], tmp_path: Path) -> None:
    result = call("-w", work, "import", "skeletons", *arrays)
    assert result.exit_code == 0, result.output
    wanted = np.concatenate([batch(tmp_path / "train.h5"), batch(tmp_path / "val.h5")])
    np.testing.assert_array_equal(batch(work / "skeletons.h5"), wanted)
    with SkeletonStore(work / "skeletons.h5") as store, SkeletonStore(tmp_path / "train.h5") as train:
        assert store.name.tolist() == sorted(store.name)
        assert set(store.action.tolist()) == set(range(1, ACTIONS + 1))
        assert set(store.subject.tolist()) == {1, 2, 3}
        same_period = train.action != 4  # a second body with a period of its own can't be told apart from the first
        np.testing.assert_array_equal(store.frames[: len(train)][same_period], train.frames[same_period])
        assert store.bodies[: len(train)].tolist() == train.bodies.tolist()
    assert "preprocess  done     imported" in call("-w", work, "status").stdout


def test_a_run_on_arrays_treats_raw_clips_by_their_recipe(
    tmp_path: Path, tiny_run: TinyRun, tiny_raw: Path, tiny_workspace_config: str
) -> None:
    work = tmp_path / "work"
    lay_out(work, tiny_raw, tiny_workspace_config)
    with SkeletonStore(tiny_run.root / "skeletons.h5") as store:
        names = [ClipName.parse(name) for name in store.name]
        array = store.batch(np.arange(len(store)), FRAMES)
    path = write_array(tmp_path / "arrays", "all", names, array)
    denoised = ("--set", "preprocess.recipe=denoised")  # means nothing to arrays, before and after
    imported = call("-w", work, "import", "skeletons", path, *denoised)
    assert imported.exit_code == 0, imported.output
    assert "preprocess  done     imported" in call("-w", work, "status").stdout
    assert "preprocess  done     imported" in call("-w", work, "status", *denoised).stdout
    few = [f"--set={key}" for key in ("backbone.epochs=1", "train.cycles=1", "evaluate.classifier.steps=5")]
    ran = call("-w", work, "run", *few, *denoised)
    assert ran.exit_code == 0, ran.output
    clip = next((tiny_raw / "setup1").glob("*P001*R001*"))
    found = call("-w", work, "predict", clip, "--json")
    assert found.exit_code == 0, found.output
    assert len(json.loads(found.stdout)["actions"]) > 0
    recognizer = Recognizer.load(work / "runs" / "default")
    assert recognizer.recipe == "shift-gcn"
    (prepared,) = clip_batches([clip], recognizer.recipe, FRAMES)
    np.testing.assert_allclose(prepared.joints[0], array[names.index(ClipName.parse(clip.stem))], atol=1e-6)


def test_an_import_that_recorded_no_recipe_says_what_helps(tiny_run: TinyRun, tmp_path: Path) -> None:
    copy = Workspace(Path(shutil.copytree(tiny_run.root, tmp_path / "copy", symlinks=True)))
    rewrite_record(copy.skeletons, {"stage": "import", "settings": '{"dataset.name": "tiny"}'})
    with pytest.raises(DataError, match=r"imported without a record.*import it again.*`fsvae-pipe preprocess --force`"):
        Recognizer.load(copy.run("default").root)
    rewrite_record(copy.skeletons, {RECIPE: "guessed"})
    with pytest.raises(DataError, match=r"the recipe 'guessed', where shift-gcn or denoised is wanted"):
        Recognizer.load(copy.run("default").root)


def test_zero_padding_is_cut(work: Path, arrays: list[Path]) -> None:
    for path in arrays:
        array = np.load(path)
        array[:, :, 17:] = 0
        np.save(path, array)
    assert call("-w", work, "import", "skeletons", *arrays).exit_code == 0
    with SkeletonStore(work / "skeletons.h5") as store:
        assert store.frames.max() == 17


def test_the_labels_may_be_named_too_and_must_have_their_array(work: Path, arrays: list[Path]) -> None:
    labels = [path.with_name(path.name.replace("data_joint.npy", "label.pkl")) for path in arrays]
    assert "array that is not given" in refused(work, arrays[0], *labels)
    assert call("-w", work, "import", "skeletons", *arrays, *labels).exit_code == 0


def test_empty_clips_are_left_out_by_name(work: Path, arrays: list[Path]) -> None:
    array = np.load(arrays[0])
    array[4] = 0
    array[5, 0, 3, 2, 0] = np.nan
    np.save(arrays[0], array)
    result = call("-w", work, "import", "skeletons", *arrays)
    assert result.exit_code == 0
    names = pickle.loads(arrays[0].with_name("train_label.pkl").read_bytes())[0]
    assert "2 left out" in result.stdout
    for name in (names[4], names[5]):
        assert f"{arrays[0]}, {name.removesuffix('.skeleton')}:" in " ".join(result.stderr.split())


def test_arrays_that_do_not_fit_are_refused(work: Path, arrays: list[Path]) -> None:
    path = arrays[0]
    label_path = path.with_name("train_label.pkl")
    array, (names, labels) = np.load(path), pickle.loads(label_path.read_bytes())

    def with_array(changed: NDArray[np.float32]) -> str:
        np.save(path, changed)
        message = refused(work, *arrays)
        np.save(path, array)
        return message

    def with_labels(*changed: object) -> str:
        label_path.write_bytes(pickle.dumps(changed))
        message = refused(work, *arrays)
        label_path.write_bytes(pickle.dumps((names, labels)))
        assert "train_label.pkl" in message
        return message

    assert "shape" in with_array(array[:, :, :, :24])
    assert "12 names" in with_array(array[:-1])
    assert "spine mid" in with_array(array + 1)
    assert "Fortran" in with_array(np.asfortranarray(array))
    assert "label 7" in with_labels(names, [labels[0] + 7 - labels[0], *labels[1:]])
    assert "no clip name" in with_labels(["clip", *names[1:]], labels)
    again = write_array(path.parent, "again", sorted(raw_clips(TRAIN, 1)), array)
    assert "12 clips occur twice, the first S001C001P001R001A001" in refused(work, *arrays, again)
    assert "named twice" in refused(work, path, path)
    assert "test part" in refused(work, path)
    path.write_bytes(path.read_bytes()[:-5])
    assert "train_data_joint.npy: (12, 3, 300, 25, 2) takes" in refused(work, *arrays)
    assert "no such file" in refused(work, path.with_name("other_data_joint.npy"))
    assert "is not called" in refused(work, label_path.with_name("array.npy"))


def write_npz(path: Path, parts: dict[str, Clips], *, compressed: bool) -> Path:
    """NTU60_CS.npz as CTR-GCN writes it: moved to the first frame's spine mid, padded with zeros."""
    found: dict[str, Any] = {}
    for part, clips in parts.items():
        x = np.zeros((len(clips), FRAMES, 150), np.float32)
        y = np.zeros((len(clips), ACTIONS))
        for row, (name, joints) in enumerate(clips.items()):
            origin = joints[0, 0, 1]
            moved = np.where(joints.any(axis=(2, 3), keepdims=True), joints - origin, 0)
            x[row, : len(joints)] = moved.reshape(len(joints), 150)
            y[row, name.action - 1] = 1
        found |= {f"x_{part}": x, f"y_{part}": y}
    (np.savez_compressed if compressed else np.savez)(path, **found)
    return path


def without_unseen_joints(clips: Clips) -> Clips:
    """Moving a joint that was not seen makes it one that was, in archives as in these tests."""
    return {name: joints for name, joints in clips.items() if name.action != 5}


@pytest.mark.parametrize("compressed", [False, True])
def test_an_archive_becomes_what_the_raw_clips_would(work: Path, tmp_path: Path, compressed: bool) -> None:
    parts = {"train": without_unseen_joints(raw_clips(TRAIN, 1)), "test": without_unseen_joints(raw_clips(TEST, 1))}
    path = write_npz(tmp_path / "NTU60_CS.npz", parts, compressed=compressed)
    assert "train_subjects = [1]" in refused(work, path)
    config = (work / "config.toml").read_text().replace("[1, 2]", "[1]")
    (work / "config.toml").write_text(config)
    result = call("-w", work, "import", "skeletons", path)
    assert result.exit_code == 0, result.output
    wanted = [reference(tmp_path / f"{part}.h5", clips) for part, clips in parts.items()]
    np.testing.assert_allclose(batch(work / "skeletons.h5"), np.concatenate(wanted), atol=2e-6)
    with SkeletonStore(work / "skeletons.h5") as store:
        assert (store.subject == 1).sum() == len(parts["train"])
        assert set(store.camera.tolist()) == {999}
        assert store.action.tolist() == [name.action for clips in parts.values() for name in clips]
    changed = call("-w", work, "status", "--set", "dataset.train_subjects=[2]").stdout
    assert "dataset.train_subjects changed from [1] to [2] since the import" in changed


def test_broken_archives_are_named(work: Path, tmp_path: Path) -> None:
    (work / "config.toml").write_text((work / "config.toml").read_text().replace("[1, 2]", "[1]"))
    path = tmp_path / "NTU60_CS.npz"
    parts = {"train": raw_clips(TRAIN, 1), "test": raw_clips(TEST, 1)}
    write_npz(path, parts, compressed=True)
    whole = path.read_bytes()
    path.write_bytes(whole[:-100])
    assert "not a whole .npz archive" in refused(work, path)
    damaged = bytearray(whole)
    damaged[3000:3010] = bytes(10)
    path.write_bytes(damaged)
    assert "NTU60_CS.npz, x_train" in refused(work, path)
    arrays = dict(np.load(write_npz(path, parts, compressed=False)))
    np.savez(path, **{name: array for name, array in arrays.items() if name != "y_test"})
    assert "no array y_test" in refused(work, path)
    np.savez(path, **{**arrays, "y_train": arrays["y_train"] * 2})
    assert "one-hot" in refused(work, path)
    np.savez(path, **{**arrays, "x_test": arrays["x_test"][:, :, :75]})
    assert "150" in refused(work, path)
    np.savez(path, **{**arrays, "y_test": arrays["y_test"][:-1]})
    assert "y_test" in refused(work, path)
    assert "import it alone" in refused(work, path, path)
