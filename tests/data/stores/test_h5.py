import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest

from data.errors import DataError, NewerFormatError
from data.stores import h5, h5_fingerprint
from data.stores.files import FORMAT_VERSION, partial_path


def write(path: Path, values: list[float], record: dict[str, str] | None = None) -> str:
    with h5.writing(path, record or {"stage": "test"}) as file:
        file.create_dataset("values", data=np.array(values, dtype=np.float32), fletcher32=True)
        h5.write_strings(file, "names", np.array(["é", ""]))
    return h5.read_record(path)["fingerprint"]


def test_arrays_strings_and_record_are_read_as_written(tmp_path: Path) -> None:
    write(tmp_path / "a" / "file.h5", [1, 2])
    with h5.reading(tmp_path / "a" / "file.h5") as file:
        assert h5.read_array(file, "values").tolist() == [1, 2]
        assert h5.read_strings(file, "names").tolist() == ["é", ""]
        with pytest.raises(DataError, match="no dataset other"):
            h5.read_array(file, "other")
    record = h5.read_record(tmp_path / "a" / "file.h5")
    assert record["stage"] == "test"
    assert record["format_version"] == str(FORMAT_VERSION)


def test_the_fingerprint_depends_on_the_contents_alone(tmp_path: Path) -> None:
    first = write(tmp_path / "1.h5", [1, 2])
    assert write(tmp_path / "2.h5", [1, 2], {"stage": "other", "created": "later"}) == first
    assert write(tmp_path / "3.h5", [1, 3]) != first


def test_the_fingerprint_covers_shape_dtype_attributes_and_later_blocks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(h5_fingerprint, "FINGERPRINT_BLOCK_BYTES", 16)
    base = np.arange(24, dtype=np.int32).reshape(6, 4)
    changed = base.copy()
    changed[-1, -1] += 1
    fingerprints = set()
    for data, attribute in [(base, 0), (base.reshape(4, 6), 0), (base.view(np.float32), 0), (changed, 0), (base, 1)]:
        with h5.writing(tmp_path / "file.h5", {}) as file:
            file.create_dataset("group/x", data=data).attrs["k"] = [attribute]
        fingerprints.add(h5.read_record(tmp_path / "file.h5")["fingerprint"])
    assert len(fingerprints) == 5


def test_an_error_while_writing_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "file.h5"
    before = write(path, [1])
    with pytest.raises(TypeError), h5.writing(path, {}) as file:
        file.create_dataset("half", data=object())
    assert h5.read_record(path)["fingerprint"] == before
    assert not partial_path(path).exists()


def test_files_that_fsvae_pipe_did_not_write_are_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"missing\.h5: no such file"):
        h5.read_record(tmp_path / "missing.h5")
    (tmp_path / "text.h5").write_text("not HDF5")
    with pytest.raises(DataError, match=r"text\.h5: not a whole HDF5 file"):
        h5.read_record(tmp_path / "text.h5")
    with h5py.File(tmp_path / "foreign.h5", "w") as file:
        file["x"] = 1
    with pytest.raises(DataError, match="no format_version"):
        h5.read_record(tmp_path / "foreign.h5")


def test_a_newer_format_asks_for_an_upgrade(tmp_path: Path) -> None:
    write(tmp_path / "file.h5", [1])
    with h5py.File(tmp_path / "file.h5", "r+") as file:
        file.attrs["format_version"] = FORMAT_VERSION + 1
    with pytest.raises(NewerFormatError, match="upgrade"):
        h5.read_record(tmp_path / "file.h5")


def test_a_cut_file_and_a_flipped_bit_are_found(tmp_path: Path) -> None:
    path = tmp_path / "file.h5"
    write(path, list(np.arange(4096.0)))
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DataError):
        h5.read_record(path)
    offset = whole.index(np.arange(100.0, 110.0, dtype=np.float32).tobytes())
    path.write_bytes(whole[:offset] + bytes([whole[offset] ^ 1]) + whole[offset + 1 :])
    with h5.reading(path) as file, pytest.raises(DataError, match="values is damaged"):
        h5.read_array(file, "values")


def test_a_locked_or_forbidden_file_is_not_called_broken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "file.h5"
    write(path, [1])
    holding = "import h5py, sys; file = h5py.File(sys.argv[1], 'r+'); print('held', flush=True); sys.stdin.read()"
    command = [sys.executable, "-c", holding, str(path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "held\n"
        with pytest.raises(DataError, match=r"file\.h5: it is locked") as refused:
            h5.read_record(path)
        other.communicate("")
    assert "delete" not in str(refused.value)

    def forbidden(*_: object) -> None:
        raise PermissionError(13, "Unable to open file (errno = 13, error message = 'Permission denied')")

    monkeypatch.setattr(h5py, "File", forbidden)
    with pytest.raises(DataError, match=r"can't be read now .*Permission denied") as refused:
        h5.read_record(path)
    assert "delete" not in str(refused.value)


def test_no_text_lies_in_a_heap_which_libhdf5_can_read_for_ever(tmp_path: Path) -> None:
    write(tmp_path / "file.h5", [1], {"stage": "test", "inputs": "ü" * 20_000, "command": ""})
    assert b"GCOL" not in (tmp_path / "file.h5").read_bytes()
    record = h5.read_record(tmp_path / "file.h5")
    assert (record["inputs"], record["command"]) == ("ü" * 20_000, "")


def test_a_record_longer_than_an_attribute_of_one_length_is_kept(tmp_path: Path) -> None:
    write(tmp_path / "file.h5", [1], {"inputs": "x" * 100_000})
    assert h5.read_record(tmp_path / "file.h5")["inputs"] == "x" * 100_000


def test_texts_of_variable_length_are_read_and_have_the_same_fingerprint(tmp_path: Path) -> None:
    texts, none = np.array(["é", "", "longer"]), np.array([], np.str_)
    with h5.writing(tmp_path / "new.h5", {}) as file:
        h5.write_strings(file, "names", texts)
        h5.write_strings(file, "none", none)
    with h5.writing(tmp_path / "old.h5", {}) as file:
        for name, values in (("names", texts), ("none", none)):
            file.create_dataset(name, data=values.astype(object), dtype=h5py.string_dtype())
    new, old = (h5.read_record(tmp_path / f"{name}.h5")["fingerprint"] for name in ("new", "old"))
    assert new == old
    with h5.reading(tmp_path / "old.h5") as file:
        assert h5.read_strings(file, "names").tolist() == texts.tolist()
        assert h5.read_strings(file, "none").tolist() == []
