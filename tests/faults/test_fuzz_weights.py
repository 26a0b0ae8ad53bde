"""A short run of the fuzzer of weights. tests/fuzz/weights.py is the fuzzer itself."""

from pathlib import Path

import numpy as np
import pytest

from models.errors import ModelError
from tests.fuzz.weight_changes import Change
from tests.fuzz.weights import Kind, fuzz_kind, make_kinds, outcome

FILES = 8
WANTED = np.ones(3, np.float32)


@pytest.fixture(scope="module")
def kinds(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Kind]:
    return make_kinds(tmp_path_factory.mktemp("weights"))


@pytest.mark.parametrize(
    "name",
    ["backbone.pt", "backbone.safetensors", "own backbone", "backbone of a run", "model of a run, predict",
     "model of a run, evaluate", "clip", "siglip", "bert"],
)  # fmt: skip
def test_changed_weights_are_refused_or_give_the_same_outputs(kinds: dict[str, Kind], name: str) -> None:
    outcomes = fuzz_kind(kinds[name], FILES, seed=3)
    assert set(outcomes) <= {"refused", "same outputs"}
    assert outcomes.total() == FILES
    assert outcomes["refused"]


def refused(message: str) -> np.ndarray:
    raise ModelError(message)


def test_the_fuzzer_finds_faults() -> None:
    path, done = Path("folder/weights.pt"), Change("removed", "fc.weight")

    def found(read: object) -> str:
        return outcome(Kind(path, read), done, WANTED)  # type: ignore[arg-type]

    assert found(lambda: WANTED) == "same outputs"
    assert found(lambda: WANTED + 0.1) == "outputs differ by 0.1 without a word"
    assert found(lambda: WANTED * np.nan) == "other outputs without a word"
    assert found(lambda: np.load("nowhere.npy")).startswith("FileNotFoundError")
    assert found(lambda: refused("folder/weights.pt: missing: fc.weight")) == "refused"
    assert "does not name fc.weight" in found(lambda: refused("folder/weights.pt: not whole"))
    assert "does not name weights.pt" in found(lambda: refused("missing: fc.weight"))
