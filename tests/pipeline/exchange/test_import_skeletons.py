"""`fsvae-pipe import skeletons` of arrays: *_data_joint.npy -> skeletons.h5."""

import json
import pickle
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from data.clip_name import ClipName
from data.errors import DataError
from data.raw.skeleton_file import format_clip
from data.stores.skeleton_store import SkeletonStore
from pipeline.predict.clip_stream import clip_batches
from pipeline.predict.recognizer import Recognizer
from pipeline.workspace.folder import Workspace
from pipeline.workspace.provenance import RECIPE
from tests.conftest import TinyRun, lay_out
from tests.shared.import_command import call
from tests.shared.made_arrays import (
    ACTIONS,
    FRAMES,
    TEST,
    TRAIN,
    batch,
    custom_workspace,
    raw_clips,
    reference,
    refused,
)
from tests.shared.made_skeletons import moving_clip, write_folder
from tests.shared.rewritten import rewrite_record


def write_array(
    folder: Path, prefix: str, names: Sequence[ClipName], array: NDArray[np.float32], seed: int = 0
) -> Path:
    """Write PREFIX_data_joint.npy and PREFIX_label.pkl, with the clips in a random order."""
    order = np.random.default_rng(seed).permutation(len(names))
    folder.mkdir(exist_ok=True)
    path = folder / f"{prefix}_data_joint.npy"
    np.save(path, array[order])
    labels = ([f"{names[row]}.skeleton" for row in order], [names[row].action - 1 for row in order])
    (folder / f"{prefix}_label.pkl").write_bytes(pickle.dumps(labels))
    return path


@pytest.fixture
def work(tmp_path: Path) -> Path:
    return custom_workspace(tmp_path / "work")


@pytest.fixture
def arrays(tmp_path: Path) -> list[Path]:
    paths = []
    for prefix, subjects in (("train", TRAIN), ("val", TEST)):
        clips = raw_clips(subjects, 1)
        array = reference(tmp_path / f"{prefix}.h5", clips)
        paths.append(write_array(tmp_path / "arrays", prefix, sorted(clips), array))
    return paths


def test_arrays_come_back_bit_for_bit(work: Path, arrays: list[Path], tmp_path: Path) -> None:
    result = call("-w", work, "import", "skeletons", *arrays)
    assert result.exit_code == 0, result.output
    wanted = np.concatenate([batch(tmp_path / "train.h5"), batch(tmp_path / "val.h5")])
    np.testing.assert_array_equal(batch(work / "skeletons.h5"), wanted)
    with SkeletonStore(work / "skeletons.h5") as store, SkeletonStore(tmp_path / "train.h5") as train:
        assert store.name.tolist() == sorted(store.name)
        assert set(store.action.tolist()) == set(range(1, ACTIONS + 1))
        assert set(store.subject.tolist()) == {1, 2, 3}
        same_period = train.action != 4  # a looped array doesn't show that the second body has a period of its own
        np.testing.assert_array_equal(store.frames[: len(train)][same_period], train.frames[same_period])
        assert store.bodies[: len(train)].tolist() == train.bodies.tolist()
    assert "preprocess  done     imported" in call("-w", work, "status").stdout


def test_arrays_in_millimetres_are_told(work: Path, arrays: list[Path]) -> None:
    assert "no person's size" not in call("-w", work, "import", "skeletons", *arrays).output
    for path in arrays:
        np.save(path, 1000 * np.load(path))
    result = call("-w", work, "import", "skeletons", *arrays)
    assert result.exit_code == 0, result.output
    assert "which is no person's size: coordinates must be in metres" in " ".join(result.stderr.split())


def test_a_run_on_arrays_treats_raw_clips_by_their_recipe(
    tmp_path: Path, tiny_run: TinyRun, tiny_raw: Path, tiny_workspace_config: str
) -> None:
    work = tmp_path / "work"
    lay_out(work, tiny_raw, tiny_workspace_config)
    with SkeletonStore(tiny_run.root / "skeletons.h5") as store:
        names = [ClipName.parse(name) for name in store.name]
        array = store.batch(np.arange(len(store)), FRAMES)
    path = write_array(tmp_path / "arrays", "all", names, array)
    denoised = ("--set", "preprocess.recipe=denoised")  # arrays ignore it, when they are imported and afterwards
    imported = call("-w", work, "import", "skeletons", path, *denoised)
    assert imported.exit_code == 0, imported.output
    assert "preprocess  done     imported" in call("-w", work, "status").stdout
    assert "preprocess  done     imported" in call("-w", work, "status", *denoised).stdout
    few = [f"--set={key}" for key in ("backbone.epochs=1", "train.cycles=1", "evaluate.classifier.steps=5")]
    ran = call("-w", work, "run", *few, *denoised)
    assert ran.exit_code == 0, ran.output
    clip = next((tiny_raw / "setup1").glob("*P001*R001*"))
    predicted = call("-w", work, "predict", clip, "--json")
    assert predicted.exit_code == 0, predicted.output
    assert len(json.loads(predicted.stdout)["actions"]) > 0
    recognizer = Recognizer.load(work / "runs" / "default")
    assert recognizer.treatment.recipe == "shift-gcn"
    (prepared,) = clip_batches([clip], replace(recognizer.treatment, frames=FRAMES))
    np.testing.assert_allclose(prepared.joints[0], array[names.index(ClipName.parse(clip.stem))], atol=1e-6)


def test_a_missing_recipe_of_an_import_ends_in_advice(tiny_run: TinyRun, tmp_path: Path) -> None:
    copy = Workspace(Path(shutil.copytree(tiny_run.root, tmp_path / "copy", symlinks=True)))
    rewrite_record(copy.skeletons, {"stage": "import", "settings": '{"dataset.name": "tiny"}'})
    with pytest.raises(DataError, match=r"imported without a record.*import it again.*`fsvae-pipe preprocess --force`"):
        Recognizer.load(copy.run("default").root)
    rewrite_record(copy.skeletons, {RECIPE: "guessed"})
    with pytest.raises(DataError, match=r"the recipe 'guessed', where shift-gcn or denoised or tracked is wanted"):
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
    assert "is not a clip name" in with_labels(["clip", *names[1:]], labels)
    again = write_array(path.parent, "again", sorted(raw_clips(TRAIN, 1)), array)
    assert "12 clips occur twice, the first S001C001P001R001A001" in refused(work, *arrays, again)
    assert "named twice" in refused(work, path, path)
    assert "test part" in refused(work, path)
    path.write_bytes(path.read_bytes()[:-5])
    assert "train_data_joint.npy: (12, 3, 300, 25, 2) takes" in refused(work, *arrays)
    assert "no such file" in refused(work, path.with_name("other_data_joint.npy"))
    assert "expected a name like" in refused(work, label_path.with_name("array.npy"))


def test_a_pickle_of_pyskl_is_called_so_and_read_as_the_same_raw_clips(work: Path, tmp_path: Path) -> None:
    clips = {f"S001C001P00{person}R001A001": moving_clip(np.random.default_rng(person), 9, 2) for person in (1, 2)}
    annotations = [
        {"frame_dir": name, "label": 0, "keypoint": joints.transpose(1, 0, 2, 3), "total_frames": 9}
        for name, joints in clips.items()
    ]
    path = tmp_path / "ntu60_3danno.pkl"
    path.write_bytes(pickle.dumps({"split": {"xsub_train": list(clips)}, "annotations": annotations}))
    message = refused(work, path)
    assert "a pickle of annotations in the form of pyskl" in message
    assert "preprocess --layout pyskl --raw PATH`" in message
    stored = []
    folder = write_folder(tmp_path / "raw", {f"{name}.skeleton": format_clip(clips[name]) for name in clips})
    for layout, raw in (("pyskl", path), ("ntu", folder)):
        call("-w", tmp_path / layout, "init", "custom", "--layout", layout, "--raw", raw)
        call("-w", tmp_path / layout, "preprocess")
        with SkeletonStore(tmp_path / layout / "skeletons.h5") as store:
            assert store.name.tolist() == list(clips)
            stored.append(store.batch([0, 1], 9))
    assert np.array_equal(stored[0], stored[1])
