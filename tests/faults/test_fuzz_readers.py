"""A short run of the fuzzer of all readers. tests/fuzz/readers.py is the fuzzer itself."""

from pathlib import Path

import numpy as np
import pytest

from tests.fuzz.readers import MAX_GROWTH_BYTES, broken, fuzz_kind, outcome
from tests.shared.every_reader import READERS, write_seeds

FILES = 40


@pytest.fixture(scope="module")
def seeds(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("seeds")
    write_seeds(folder)
    return folder


@pytest.mark.parametrize("kind", [kind for kind in READERS if kind != "small.pt"])
def test_whole_inputs_are_accepted(seeds: Path, kind: str) -> None:
    assert outcome(kind, seeds / kind) == "accepted"


@pytest.mark.parametrize("kind", [kind for kind in READERS if not kind.endswith(".h5")])
def test_broken_inputs_are_read_or_refused(seeds: Path, tmp_path: Path, kind: str) -> None:
    whole, path = (seeds / kind).read_bytes(), tmp_path / kind
    rng = np.random.default_rng(7)
    for _ in range(FILES):
        path.write_bytes(broken(kind, whole, rng))
        assert outcome(kind, path) in ("accepted", "refused")


@pytest.mark.parametrize("kind", [kind for kind in READERS if kind.endswith(".h5")])
def test_broken_stores_are_read_or_refused_by_a_process_that_lives(seeds: Path, kind: str) -> None:
    outcomes, largest = fuzz_kind(seeds, kind, FILES, seed=7)
    assert set(outcomes) <= {"accepted", "refused"}
    assert outcomes.total() == FILES
    assert largest < MAX_GROWTH_BYTES
