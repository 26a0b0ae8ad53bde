import re
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from data.errors import DataError
from models.errors import ModelError
from models.tensor_file import fingerprint, is_as_written, read_record, read_tensors, write_tensors
from pipeline.workspace import tensor_store

TENSORS = {"b/two": torch.arange(6).reshape(2, 3), "b/one": torch.full((2,), 0.5), "a": torch.zeros(())}
ROOT = Path(__file__).parents[2]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    write_tensors(tmp_path / "x.safetensors", TENSORS, {"stage": "made"})
    return tmp_path / "x.safetensors"


def test_tensors_and_record_come_back(path: Path) -> None:
    assert read_record(path) == {"stage": "made", "fingerprint": fingerprint(TENSORS)}
    found = read_tensors(path)
    assert found.keys() == TENSORS.keys()
    assert all(torch.equal(tensor, TENSORS[name]) for name, tensor in found.items())
    assert read_tensors(path, "b/").keys() == {"one", "two"}
    assert is_as_written(path)


def test_the_fingerprint_goes_by_name_type_shape_and_contents() -> None:
    others = (
        {"c/two": TENSORS["b/two"]},
        {"b/two": TENSORS["b/two"].int()},
        {"b/two": TENSORS["b/two"].reshape(3, 2)},
        {"b/two": TENSORS["b/two"] + 1},
    )
    found = {fingerprint({**TENSORS, **other}) for other in others}
    assert len(found | {fingerprint(TENSORS)}) == 5
    assert fingerprint(dict(reversed(TENSORS.items()))) == fingerprint(TENSORS)
    parameter = torch.nn.Parameter(torch.ones(3, 2)).T
    assert fingerprint({"x": parameter}) == fingerprint({"x": torch.ones(2, 3)})


def test_damage_is_one_error_of_models_and_one_with_advice_of_a_workspace(path: Path) -> None:
    content = path.read_bytes()
    path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    assert not is_as_written(path)
    with pytest.raises(DataError, match=r"not those that were written.*delete it, then `fsvae-pipe run`"):
        tensor_store.require_as_written(path)
    path.write_bytes(content[:-1])
    for read in (read_record, read_tensors, is_as_written):
        with pytest.raises(ModelError, match=f"{re.escape(str(path))}: not a whole safetensors file"):
            read(path)
    for stored in (tensor_store.read_tensor_record, tensor_store.read_tensors, tensor_store.require_as_written):
        with pytest.raises(DataError, match=r"not a whole safetensors file.*delete it, then `fsvae-pipe run`"):
            stored(path)


def test_a_record_is_read_without_torch(path: Path) -> None:
    code = "import sys, models.tensor_file as file; file.read_record(sys.argv[1]); print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code, str(path)], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


def test_no_other_module_opens_safetensors() -> None:
    files = [path for top in ("pipeline", "models", "data") for path in (ROOT / top).rglob("*.py")]
    importing = [path for path in files if re.search(r"^\s*(from|import) safetensors", path.read_text("utf-8"), re.M)]
    assert importing == [ROOT / "models" / "tensor_file.py"]
