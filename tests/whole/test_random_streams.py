"""Every random stream is known in one place, no two purposes start alike, and the older ones are as they ever were."""

import ast
from collections import defaultdict
from collections.abc import Iterator
from itertools import combinations, product
from pathlib import Path

import numpy as np
import pytest

import data.random_streams
from data.random_streams import (
    BACKBONE_AUGMENTATION,
    BACKBONE_ORDER,
    BACKBONE_WEIGHTS,
    DEMO_CLIP,
    DEMO_PERSON,
    FSVAE_BATCHES,
    FSVAE_NOISE,
    FSVAE_WEIGHTS,
    HELD_OUT_CLIPS,
    UNSEEN_CLASSIFIER,
    NumpyStream,
    Stream,
    TorchStream,
)
from models.torch_generators import torch_generator

ROOT = Path(__file__).parents[2]
PROGRAM = sorted(path for top in ("pipeline", "models", "data") for path in (ROOT / top).rglob("*.py"))
STREAMS = {name: stream for name, stream in vars(data.random_streams).items() if isinstance(stream, Stream)}
SEEDS = [*range(12), 2**32 - 1, 2**63 - 1]
RANGES = {
    "seed": SEEDS, "draw": range(1, 30),
    "epoch": range(10), "clip": range(12), "phase": range(2), "cycle": range(1, 15),
    "action": range(1, 7), "subject": range(1, 7), "replication": range(1, 3),
}  # fmt: skip
STARTING_ALIKE = {  # numbers of 0 at the end of a key count for nothing: what the docstring of the module says
    ("HELD_OUT_CLIPS", "BACKBONE_ORDER"),
    ("HELD_OUT_CLIPS", "BACKBONE_AUGMENTATION"),
    ("BACKBONE_ORDER", "BACKBONE_AUGMENTATION"),
    ("BACKBONE_ORDER", "DEMO_PERSON"),
    ("BACKBONE_AUGMENTATION", "DEMO_PERSON"),
}


def start(stream: Stream, values: tuple[int, ...]) -> object:
    """The state that a generator begins with; two generators of one state draw the same."""
    if isinstance(stream, NumpyStream):
        return str(stream.generator(*values).bit_generator.state)
    assert isinstance(stream, TorchStream)
    return torch_generator(stream.torch_seed(*values)).get_state().numpy().tobytes()


def draws() -> Iterator[tuple[str, tuple[int, ...]]]:
    """Every draw of a range of seeds, epochs, cycles and phases."""
    for name, stream in STREAMS.items():
        yield from ((name, values) for values in product(*(RANGES[part] for part in stream.key)))


def test_no_two_purposes_start_alike() -> None:
    starts: dict[object, list[tuple[str, tuple[int, ...]]]] = defaultdict(list)
    for name, values in draws():
        starts[start(STREAMS[name], values)].append((name, values))
    alike = [pair for found in starts.values() for pair in combinations(found, 2)]
    assert {(one[0], other[0]) for one, other in alike} == STARTING_ALIKE
    for (one, values), (other, others) in alike:
        assert one != other
        assert STREAMS[one].number is STREAMS[other].number is None
        length = min(len(values), len(others))
        assert values[:length] == others[:length]
        assert not any(values[length:] + others[length:])


def test_streams_with_a_number_have_one_each() -> None:
    numbers = [stream.number for stream in STREAMS.values() if stream.number is not None]
    assert sorted(numbers) == list(range(1, len(numbers) + 1))


@pytest.mark.parametrize("seed", SEEDS)
def test_what_backbones_and_results_were_drawn_from_stays(seed: int) -> None:
    older = {
        HELD_OUT_CLIPS: (seed,), BACKBONE_ORDER: (seed, 3), BACKBONE_AUGMENTATION: (seed, 3, 17),
        DEMO_PERSON: (seed, 2), DEMO_CLIP: (seed, 4, 2, 1),
    }  # fmt: skip
    for stream, values in older.items():
        wanted = np.random.default_rng(values)
        assert stream.generator(*values).integers(2**63, size=4).tolist() == wanted.integers(2**63, size=4).tolist()
    weights, batches, noise = np.random.SeedSequence((seed, 1)).generate_state(3).tolist()
    assert (FSVAE_WEIGHTS.torch_seed(seed, 1), FSVAE_NOISE.torch_seed(seed, 1)) == (weights, noise)
    assert FSVAE_BATCHES.generator(seed, 1).random() == np.random.default_rng(batches).random()
    assert UNSEEN_CLASSIFIER.torch_seed(seed, 1, 9) == np.random.SeedSequence((seed, 1, 9)).generate_state(1)[0]
    assert BACKBONE_WEIGHTS.torch_seed(seed) == seed


def test_a_draw_goes_by_all_numbers_of_its_key() -> None:
    with pytest.raises(ValueError, match=r"key of this stream is \(seed, epoch\), but its values are"):
        BACKBONE_ORDER.generator(5)
    with pytest.raises(ValueError, match=r"key of this stream is \(seed\), but its values are"):
        BACKBONE_WEIGHTS.torch_seed()


@pytest.mark.parametrize("path", PROGRAM, ids=lambda path: path.stem)
def test_no_other_module_makes_a_generator(path: Path) -> None:
    makes = {"default_rng", "SeedSequence", "PCG64", "RandomState", "manual_seed", "Generator", "seed"}
    tree = ast.walk(ast.parse(path.read_text("utf-8")))
    called = {node.func.attr for node in tree if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)}
    allowed = path.relative_to(ROOT).as_posix() in ("data/random_streams.py", "models/torch_generators.py")
    assert allowed == bool(called & makes)
