import json
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from data.errors import DataError, NewerFormatError
from data.stores import h5
from data.stores.files import FORMAT_VERSION
from pipeline.messages.errors import PipelineError
from pipeline.workspace.provenance import Provenance, package_versions, read_record

MADE = Provenance("train", 1, {"train.alpha": 0.5, "train.seeds": (6,)}, {"text.h5": "aa", "features/val.h5": "bb"})


def write(path: Path, record: dict[str, str]) -> None:
    if path.suffix == ".h5":
        with h5.writing(path, record):
            pass
    elif path.suffix == ".safetensors":
        save_file({"x": np.zeros(3, dtype=np.float32)}, path, record)
    else:
        path.write_text(json.dumps({"provenance": record}))


@pytest.mark.parametrize("name", ["a.h5", "a.safetensors", "a.json"])
def test_a_record_is_read_back_from_every_kind_of_file(tmp_path: Path, name: str) -> None:
    write(tmp_path / name, MADE.record())
    record = read_record(tmp_path / name)
    assert list(MADE.changes_from(Provenance.from_record(record))) == []
    assert json.loads(record["versions"])["numpy"] == np.__version__
    assert record["created"].startswith("20")


@pytest.mark.parametrize("name", ["a.h5", "a.safetensors", "a.json"])
def test_a_broken_file_is_named(tmp_path: Path, name: str) -> None:
    with pytest.raises(PipelineError, match="no such file"):
        read_record(tmp_path / name)
    (tmp_path / name).write_bytes(b"\x00\x01 no such format")
    with pytest.raises(DataError, match=name):
        read_record(tmp_path / name)


@pytest.mark.parametrize("name", ["a.safetensors", "a.json"])
def test_a_newer_format_is_refused(tmp_path: Path, name: str) -> None:
    write(tmp_path / name, {**MADE.record(), "format_version": str(FORMAT_VERSION + 1)})
    with pytest.raises(NewerFormatError, match="upgrade"):
        read_record(tmp_path / name)


@pytest.mark.parametrize(
    ("earlier", "reason"),
    [
        (
            Provenance("train", 1, {**MADE.settings, "train.alpha": 1.0}, MADE.inputs),
            "train.alpha changed from 1.0 to 0.5",
        ),
        (Provenance("train", 1, {"train.alpha": 0.5}, MADE.inputs), "train.seeds changed from [5] to [6]"),
        (Provenance("train", 1, {**MADE.settings, "old": 1}, MADE.inputs), "old changed from 1 to null"),
        (Provenance("train", 1, MADE.settings, {**MADE.inputs, "text.h5": "cc"}), "text.h5 changed"),
        (Provenance("train", 1, MADE.settings, {"text.h5": "aa"}), "features/val.h5 is new"),
        (Provenance("train", 1, MADE.settings, {**MADE.inputs, "old": "x"}), "old is gone"),
        (
            Provenance("train", 0, MADE.settings, MADE.inputs),
            "made by train version 0, this program has train version 1",
        ),
    ],
)
def test_changes_name_what_changed(earlier: Provenance, reason: str) -> None:
    assert list(MADE.changes_from(Provenance.from_record(earlier.record()))) == [reason]


def test_a_setting_that_an_earlier_record_lacks_counts_as_its_default() -> None:
    earlier = Provenance("train", 1, {"train.seeds": (6,)}, MADE.inputs)
    assert list(MADE.changes_from(Provenance.from_record(earlier.record()))) == []
    other = Provenance("train", 1, {"train.alpha": 0.1, "train.seeds": (6,), "no.setting": 1}, MADE.inputs)
    assert list(other.changes_from(Provenance.from_record(earlier.record()))) == [
        "no.setting changed from null to 1",
        "train.alpha changed from 0.5 to 0.1",
    ]


def test_half_a_record_is_no_record() -> None:
    with pytest.raises(PipelineError, match="not whole"):
        Provenance.from_record({"stage": "train"})


def test_versions_name_what_the_numbers_depend_on() -> None:
    assert {"python", "fsvae-pipe", "torch", "numpy"} <= package_versions().keys()
