"""HDF5 files of others that refer to other files, ask for too much memory, or hold wrong types or values."""

import os
import resource
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np
import pytest
from click.testing import CliRunner

from data.errors import DataError
from data.stores import h5
from data.stores.feature_store import read_features
from data.stores.skeleton_store import SkeletonStore
from data.stores.text_store import read_text_features
from pipeline.cli.main import main
from pipeline.workspace.config import dump_config
from pipeline.workspace.context import Context
from pipeline.workspace.folder import Workspace
from tests.shared.made_features import Made, made_workspace

MADE = Made(actions=12, unseen=(3, 7), val_unseen=(2, 9), train_clips=3, test_clips=2)
LIMIT_BYTES = 3 << 30
SECRET = "secret.h5"
CHILD = """
import sys
from pathlib import Path
from data.stores.feature_store import read_features
try:
    read_features(Path(sys.argv[1]))
except Exception as error:
    print(type(error).__name__)
"""


@dataclass(frozen=True)
class Case:
    """A way to spoil features/test.h5, and a part of the message that must follow."""

    name: str
    spoil: Callable[[h5py.File], None]
    message: str


def replace(file: h5py.File, name: str, **how: object) -> None:
    del file[name]
    file.create_dataset(name, **how)


def external_link(file: h5py.File) -> None:
    del file["action"]
    file["action"] = h5py.ExternalLink(SECRET, "action")


def soft_link(file: h5py.File) -> None:
    file["elsewhere"] = file["action"][()]
    del file["action"]
    file["action"] = h5py.SoftLink("/elsewhere")


def other_files_bytes(file: h5py.File) -> None:
    replace(file, "action", shape=(60,), dtype="i8", external=[(SECRET, 0, 480)])


def virtual(file: h5py.File) -> None:
    layout = h5py.VirtualLayout((60,), "i8")
    layout[:] = h5py.VirtualSource(SECRET, "action", (60,))
    del file["action"]
    file.create_virtual_dataset("action", layout)


def shared_texts(file: h5py.File) -> None:
    """A million names that all refer to the same text of a megabyte: 17 MB in the file, a terabyte when read."""
    replace(file, "name", data=np.array(["x" * (1 << 20)] * 2, dtype=object), dtype=h5py.string_dtype())
    start = file["name"].id.get_offset()
    reference = os.pread(file.id.get_vfd_handle(), 16, start)
    replace(file, "name", shape=(1 << 20,), dtype=h5py.string_dtype())
    file["name"][-1] = "allocated"
    file.flush()
    os.pwrite(file.id.get_vfd_handle(), reference * (1 << 20), file["name"].id.get_offset())


def long_text(file: h5py.File) -> None:
    """Ten thousand names, one of them a megabyte long: as an array of equally long texts they take 40 GB."""
    names = np.array(["x"] * 10_000 + ["x" * (1 << 20)], dtype=object)
    replace(file, "name", data=names, dtype=h5py.string_dtype())


def no_utf8(file: h5py.File) -> None:
    replace(file, "name", data=np.array([b"\xff\xfe"] * 60, dtype=object), dtype=h5py.string_dtype())


CASES = (
    Case("external-link", external_link, "link to another place"),
    Case("soft-link", soft_link, "link to another place"),
    Case("external-storage", other_files_bytes, "lies in other files"),
    Case("virtual", virtual, "lies in other files"),
    Case("huge", lambda f: replace(f, "features", shape=(1 << 40, 256), dtype="f4", chunks=(1, 256)), "the file has"),
    Case("huge-deflated", lambda f: replace(
        f, "features", data=np.zeros((1 << 16, 256), np.float32), compression="gzip", chunks=True), "the file has"),
    Case("huge-chunk", lambda f: replace(
        f, "features", shape=(60, 48), maxshape=(None, 48), dtype="f4", chunks=(1 << 22, 48), compression="gzip"),
        "the file has"),
    Case("objects", lambda f: replace(
        f, "features", shape=(60,), dtype=h5py.vlen_dtype(np.float32)), "object (60,); expected floating-point"),
    Case("references", lambda f: replace(f, "action", shape=(60,), dtype=h5py.ref_dtype), "expected integers"),
    Case("floats", lambda f: replace(f, "action", data=np.ones(60)), "expected integers"),
    Case("texts", lambda f: replace(f, "action", data=np.array(["x"] * 60, dtype="S")), "expected integers"),
    Case("compound", lambda f: replace(
        f, "action", shape=(60,), dtype=[("a", "i8"), ("b", "f4")]), "expected integers"),
    Case("complex", lambda f: replace(f, "features", data=np.ones((60, 48), np.complex64)), "expected floating-point"),
    Case("null", lambda f: replace(f, "action", data=h5py.Empty("i8")), "is empty"),
    Case("scalar", lambda f: replace(f, "action", data=1), "expected integers in 1 dimensions"),
    Case("group", lambda f: (f.__delitem__("action"), f.create_group("action"))[0], "has no dataset action"),
    Case("names-of-numbers", lambda f: replace(f, "name", data=np.arange(60)), "expected texts"),
    Case("shared-texts", shared_texts, "texts of up to"),
    Case("long-text", long_text, "texts of up to"),
    Case("no-utf8", no_utf8, "name is damaged"),
    Case("action-0", lambda f: f["action"].__setitem__(0, 0), "1 to 999"),
    Case("action-huge", lambda f: f["action"].__setitem__(0, 1 << 62), "1 to 999"),
    Case("no-logit-actions", lambda f: f["logits"].attrs.__delitem__("logit_actions"), "differ in length"),
    Case("text-logit-actions", lambda f: f["logits"].attrs.__setitem__("logit_actions", "x"), "differ in length"),
    Case("attribute-of-objects", lambda f: f["logits"].attrs.create(
        "logit_actions", np.array(["x"] * 3, dtype=object), dtype=h5py.string_dtype()), "expected a text or numbers"),
    Case("record-of-objects", lambda f: f.attrs.create(
        "format_version", np.array(["1"] * 3, dtype=object), dtype=h5py.string_dtype()), "expected a text or numbers"),
)  # fmt: skip


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    context: Context = made_workspace(tmp_path / "work", MADE)
    context.config_path.write_text(dump_config(context.config), "utf-8")
    with h5py.File(context.workspace.root / "features" / SECRET, "w") as file:
        file["action"] = np.ones(60, np.int64)
    return context.workspace


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_what_features_must_not_hold_is_refused(workspace: Workspace, case: Case) -> None:
    path = workspace.features("test")
    with h5py.File(path, "r+") as file:
        case.spoil(file)
    with pytest.raises(DataError) as refused:
        read_features(path)
    assert str(path) in str(refused.value)
    assert case.message in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_chunk_that_is_shorter_than_its_checksum_is_refused(workspace: Workspace) -> None:
    path = workspace.features("test")
    with h5py.File(path, "r+") as file:
        replace(file, "action", shape=(60,), dtype="i8", chunks=(60,), fletcher32=True)
        file["action"].id.write_direct_chunk((0,), b"ab")
    with pytest.raises(DataError, match="/action has a chunk without its checksum"):
        read_features(path)


def test_a_filter_without_its_level_is_called_damage(workspace: Workspace) -> None:
    path = workspace.features("test")
    with h5py.File(path, "r+") as file:
        replace(file, "action", data=np.ones(60, np.int64), chunks=(60,), compression="gzip", fletcher32=True)
    content = path.read_bytes()
    deflate = content.index(b"deflate\0") - 8  # code, length of the name, flags, number of values; two bytes each
    path.write_bytes(content[: deflate + 6] + b"\0\0" + content[deflate + 8 :])
    with pytest.raises(DataError, match="action is damaged"):
        read_features(path)


def test_a_record_with_a_name_that_is_no_utf8_is_refused(workspace: Workspace) -> None:
    path = workspace.features("test")
    with h5py.File(path, "r+") as file:
        file.attrs.create(b"\xff\xfe", "x")
    with pytest.raises(DataError, match="its record has a name that is not UTF-8"):
        h5.read_record(path)


def test_memory_stays_bounded_and_the_command_ends_with_one_paragraph(workspace: Workspace) -> None:
    bombs = {case.name: case.spoil for case in CASES if case.name in ("huge", "huge-deflated", "shared-texts")}
    whole = workspace.features("test").read_bytes()
    for name, spoil in bombs.items():
        workspace.features("test").write_bytes(whole)
        with h5py.File(workspace.features("test"), "r+") as file:
            spoil(file)
        ended = subprocess.run(
            [sys.executable, "-c", CHILD, str(workspace.features("test"))],
            capture_output=True,
            text=True,
            check=True,
            preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (LIMIT_BYTES, LIMIT_BYTES)),
        )
        assert ended.stdout.strip() == "DataError", name
    result = CliRunner().invoke(main, ["-w", str(workspace.root), "train"])
    assert result.exit_code == 1
    assert "texts of up to" in result.output


def many_names(file: h5py.File) -> None:
    for name in range(1100):
        file[str(name)] = 1


def link_texts(file: h5py.File) -> None:
    del file["texts/label"]
    file["texts/label"] = h5py.SoftLink("/action")


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda file: replace(file, "label", shape=(12,), dtype=h5py.string_dtype()), "expected floating-point"),
        (lambda file: file["action"].__setitem__(1, 1), "rising action numbers"),
        (lambda file: file.__setitem__("more", np.ones((12, 2), np.float32)), "expected the levels"),
        (link_texts, "link to another place"),
        (many_names, "at most 1000"),
        (lambda file: file.attrs.__setitem__("encoder", h5py.Empty("f4")), "expected a text or numbers"),
    ],
)
def test_what_texts_must_not_hold_is_refused(
    workspace: Workspace, spoil: Callable[[h5py.File], None], message: str
) -> None:
    with h5py.File(workspace.text, "r+") as file:
        spoil(file)
    with pytest.raises(DataError, match=message):
        read_text_features(workspace.text)


SKELETONS = {
    "clip/frames": [2**62], "clip/bodies": [3], "clip/offset": [5], "clip/action": [0], "clip/setup": [1000],
}  # fmt: skip


@pytest.mark.parametrize(("column", "values"), list(SKELETONS.items()))
def test_columns_that_lead_outside_the_joints_are_refused(tmp_path: Path, column: str, values: list[int]) -> None:
    path = made_skeletons(tmp_path)
    with h5py.File(path, "r+") as file:
        file[column][...] = values
    with pytest.raises(DataError, match="do not fit each other"):
        SkeletonStore(path)


def test_a_second_body_without_a_centre_is_refused(tmp_path: Path) -> None:
    path = made_skeletons(tmp_path)
    with h5py.File(path, "r+") as file:
        file["clip/bodies"][...], file["clip/frames"][...], file["clip/period"][...] = 2, 3, [[0, 3]]
    with pytest.raises(DataError, match="do not fit each other"):
        SkeletonStore(path)


def made_skeletons(folder: Path) -> Path:
    """Write a skeletons.h5 of one clip with one body in six frames."""
    path = folder / "skeletons.h5"
    with h5.writing(path, {}) as file:
        file["joints"], file["centre"] = np.ones((6, 25, 3), np.float32), np.zeros((0, 3), np.float32)
        h5.write_strings(file, "clip/name", np.array(["S001C001P001R001A001"]))
        for name in ("action", "setup", "camera", "subject", "replication", "bodies"):
            file[f"clip/{name}"] = np.array([1])
        file["clip/offset"], file["clip/dropped"], file["clip/centre_offset"] = np.array([[0], [0], [-1]])
        file["clip/frames"], file["clip/period"] = np.array([6]), np.array([[6, 0]])
    with SkeletonStore(path) as store:
        assert store.batch([0], 8).shape == (1, 3, 8, 25, 2)
    return path
