"""A short run of the benchmarks that compare aligners, bench_alignment and bench_ridge in tests/benchmarks."""

from pathlib import Path

import numpy as np
import pytest

from data.errors import DataError
from models.known_actions import KnownActions
from pipeline.messages.errors import PipelineError
from tests.benchmarks import bench_ridge
from tests.benchmarks.alignment.clips import known_of, read_clips, require_texts
from tests.benchmarks.alignment.scores import COLUMNS, TOGETHER, measure
from tests.benchmarks.bench_alignment import chosen_rows
from tests.benchmarks.bench_ridge import Way


def made_clips(folder: Path, **changes: np.ndarray) -> Path:
    """Clips of 9 actions by 6 people around means that are a linear function of the texts of `made_texts`."""
    generator = np.random.default_rng(0)
    action = np.repeat(np.arange(1, 10), 24)
    means = np.stack(list(made_texts().values())) @ generator.normal(size=(12, 20))
    features = means[action - 1] + 0.3 * generator.normal(size=(len(action), 20))
    subject = np.tile(np.arange(1, 7), len(action) // 6)
    arrays: dict[str, np.ndarray] = {
        "features": features.astype(np.float32),
        "action": action,
        "subject": subject,
        **changes,
    }
    with_rows = {name: array for name, array in arrays.items() if len(array)}
    np.savez(folder / "clips.npz", **with_rows)  # type: ignore[arg-type]
    return folder / "clips.npz"


def made_texts() -> dict[int, np.ndarray]:
    generator = np.random.default_rng(1)
    texts = generator.normal(size=(9, 12)).astype(np.float32)
    return dict(enumerate(texts / np.linalg.norm(texts, axis=1, keepdims=True), start=1))


def test_texts_that_predict_motion_beat_chance_and_a_set_is_drawn_by_its_number(tmp_path: Path) -> None:
    clips = read_clips(made_clips(tmp_path))
    ridge = ["model.aligner=ridge"]
    first, again, other = (measure(clips, made_texts(), ridge, number, 2, 2) for number in (0, 0, 1))
    assert first == again != other
    assert len(first) == len(COLUMNS) + len(TOGETHER)
    assert first[-3:] == [first[COLUMNS.index(column)] for column in TOGETHER]  # one seed: it is its own ensemble
    assert np.mean([first[0], other[0]]) > 60  # chance is 50
    shuffled = dict(zip(made_texts(), np.roll(list(made_texts().values()), 4, axis=0), strict=True))
    assert measure(clips, shuffled, ridge, 0, 2, 2) != first


def test_rows_are_the_built_in_ones_or_those_that_are_named() -> None:
    assert list(chosen_rows([])) == ["default", "released", "ridge", "ridge-standardised"]
    assert chosen_rows(["ridge", "mine model.latent=7"]) == {
        "ridge": ["model.aligner=ridge"],
        "mine": ["model.latent=7"],
    }
    assert list(chosen_rows(["mine model.latent=7"]))[-1] == "mine"


def test_known_classes_follow_from_features_and_logits(tmp_path: Path) -> None:
    """Of a made backbone of 51 classes, which are those of PKU-MMD."""
    path = made_clips(tmp_path)
    features = np.load(path)["features"].astype(np.float64)
    weight = np.random.default_rng(2).normal(size=(51, 20))
    path = made_clips(tmp_path, logits=features @ weight.T + 3)
    known = known_of(path, "pku51", "minilm")
    np.testing.assert_allclose(known.weight, weight, rtol=1e-3, atol=1e-3)
    assert len(known.texts) == 51
    same_width = KnownActions(known.weight[:9], np.stack(list(made_texts().values())))
    alone, with_known = (
        measure(read_clips(path), made_texts(), ["model.aligner=ridge"], 0, 2, 2, given) for given in (None, same_width)
    )
    assert alone != with_known
    for logits, message in ((features**2, "no linear function"), (features @ weight[:50].T, "logits of 50 classes")):
        with pytest.raises(DataError, match=message):
            known_of(made_clips(tmp_path, logits=logits), "pku51", "minilm")
    with pytest.raises(DataError, match="has no logits"):
        known_of(made_clips(tmp_path), "pku51", "minilm")


@pytest.mark.parametrize("row", ["", "nothing", "mine model.nothing=1", "mine model.latent=0"])
def test_a_row_that_does_not_exist_is_refused(row: str) -> None:
    with pytest.raises(PipelineError):
        chosen_rows([row])


@pytest.mark.parametrize("changes", [{"action": np.arange(3)}, {"subject": np.empty(0)}, {"features": np.ones(5)}])
def test_clips_of_another_form_are_refused(tmp_path: Path, changes: dict[str, np.ndarray]) -> None:
    with pytest.raises(DataError, match=r"clips\.npz: not an \.npz file with features"):
        read_clips(made_clips(tmp_path, **changes))


def test_actions_without_a_text_and_too_few_actions_are_refused() -> None:
    with pytest.raises(PipelineError, match=r"no row for the actions \[10\]"):
        require_texts(np.array([1, 2, 10]), made_texts(), 1)
    with pytest.raises(PipelineError, match="too few"):
        require_texts(np.arange(1, 10), made_texts(), 8)


def test_the_closed_form_without_a_change_is_the_ridge_of_the_program(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        bench_ridge, "ROWS", {"no change": Way(), "two levels": Way(kernels=bench_ridge.of_levels(0, 2))}
    )
    values = [bench_ridge.measure(read_clips(made_clips(tmp_path)), made_texts(), number, 3, 2) for number in range(6)]
    assert all(own == same for own, same, _ in values)
    assert any(own != other for own, _, other in values)
