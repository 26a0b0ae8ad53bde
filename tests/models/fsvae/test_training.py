"""Training of one member: a step against a direct transcription, batches, determinism, degenerate input."""

from collections import Counter
from collections.abc import Callable, Iterator
from itertools import islice, pairwise
from typing import Any

import numpy as np
import pytest
import torch
from torch.nn.functional import mse_loss
from torch.utils.data import DataLoader, TensorDataset

from models.errors import ModelError
from models.fsvae.batches import Batch, TrainingData, batch_rows
from models.fsvae.calibrated_loss import calibrated_loss
from models.fsvae.losses import LOSSES, kl_divergence, weighted_sum
from models.fsvae.model import FSVAE
from models.fsvae.schedules import schedule_of
from models.fsvae.settings import ModelSettings, TrainSettings
from models.fsvae.step import ForwardPass
from models.fsvae.tables import FeatureTables
from models.fsvae.training import HISTORY_COLUMNS, LossRow, train_member
from models.fsvae.vae import draw_latents, noise_width

CPU = torch.device("cpu")
MODEL = ModelSettings(latent=3)
SHORT = TrainSettings(cycles=3, steps_per_cycle=20, batch_size=8)


def made_data(clips: int = 40, features: int = 10, text: int = 14, actions: int = 5) -> TrainingData:
    generator = np.random.default_rng(0)
    return TrainingData(
        skeletons=generator.random((clips, features)).astype(np.float32),
        text_row=np.arange(clips) % actions,
        texts=generator.normal(size=(actions, text)).astype(np.float32),
    )


def train(
    settings: TrainSettings = SHORT, seed: int = 5, data: TrainingData | None = None
) -> tuple[list[dict[str, torch.Tensor]], list[LossRow]]:
    return train_member(data or made_data(), MODEL, settings, (seed, 0), CPU)


MODELS: dict[str, dict[str, Any]] = {
    "no frequency module": {"frequency": {"apply_to": "none"}},
    "skeleton frequency": {"frequency": {"apply_to": "skeleton", "bands": 3, "cutoff": 4}},
    "as released": {"noise": "sample", "frequency": {"apply_to": "both", "form": "released", "bands": 4, "cutoff": 3}},
    "hidden layers": {"hidden": [7, 6], "decoder_relu": False},
    "hidden layers and ReLU": {"hidden": [7]},
}
TRAININGS: dict[str, dict[str, Any]] = {
    "own": {"alpha": 0.0},
    "one-sided": {"calibrated": "one-sided", "lambda": 2.0},
    "two-sided": {"calibrated": "two-sided", "lambda": 3.0, "cross_weight": 0.2},
    "all-pairs": {"calibrated": "all-pairs", "lambda": 3.0},
    "label-aware": {"calibrated": "label-aware", "lambda": 3.0},
    "crossed": {"alpha": 0.0, "cross_weight": 0.7},
}


NAMES = ["skeleton", "text", "skeleton_kl", "text_kl", "calibrated", "cross"]  # in the order of the literal sum


def made_step(data: TrainingData, model: FSVAE, settings: TrainSettings, width: int) -> tuple[ForwardPass, Batch]:
    """Four clips, one of them twice, whose actions repeat too."""
    clips, permutation = torch.tensor([7, 3, 3, 12]), torch.tensor([2, 0, 3, 1])
    actions = torch.from_numpy(data.text_row)[clips]
    distinct, place = torch.unique(actions, return_inverse=True)
    noise = torch.randn((2, 4, width), generator=torch.Generator().manual_seed(1))
    tables = FeatureTables([data], "given", CPU)
    forward = ForwardPass(model, tables, settings, schedule_of(settings.schedule, 20))
    return forward, Batch(clips, actions, distinct, place, noise, permutation)


def settings_of(training: str) -> TrainSettings:
    schedule = {"kl_start": 0, "kl_ramp": 10, "calibrated_start": 0, "text_kl_cycle": 1}
    return TrainSettings.model_validate({"schedule": schedule, **TRAININGS[training]})


@pytest.mark.parametrize("training", TRAININGS)
@pytest.mark.parametrize("made", MODELS)
def test_the_losses_and_gradients_of_a_step_are_those_of_the_papers_sum(made: str, training: str) -> None:
    data, settings = made_data(), settings_of(training)
    model_settings = ModelSettings.model_validate({"latent": 3, **MODELS[made]})
    model, literal = (FSVAE(10, 14, model_settings, torch.Generator().manual_seed(0)) for _ in range(2))
    forward, batch = made_step(data, model, settings, noise_width(model_settings.noise, 3))
    found_total, found = weighted_sum(forward(1, 5, batch))
    found_total.backward()  # type: ignore[no-untyped-call]

    s, t = torch.from_numpy(data.skeletons)[batch.clips], torch.from_numpy(data.texts)[batch.actions]
    (mu_s, logvar_s), (mu_t, logvar_t) = literal.encode_skeletons(s), literal.encode_texts(t)
    z_s, z_t = draw_latents(mu_s, logvar_s, batch.noise[0]), draw_latents(mu_t, logvar_t, batch.noise[1])
    s_from_t, t_from_s = literal.skeleton.decode(z_t), literal.text.decode(z_s)
    distances = torch.cdist(s, s_from_t).square(), torch.cdist(t, t_from_s).square()
    terms = [
        mse_loss(literal.skeleton.decode(z_s), s),
        mse_loss(literal.text.decode(z_t), t),
        kl_divergence(mu_s, logvar_s),
        kl_divergence(mu_t, logvar_t),
        calibrated_loss(settings.calibrated, *distances, batch.permutation, batch.actions, settings.lambda_),
        mse_loss(s_from_t, s) + mse_loss(t_from_s, t),
    ]
    weights = [1.0, 1.0, 0.1 * 5 / 10, 0.1 * 5 / 10, settings.lambda_ * settings.alpha, settings.cross_weight]
    total = torch.stack([weight * term for weight, term in zip(weights, terms, strict=True)]).sum()
    wanted = {name: term.item() for name, term, weight in zip(NAMES, terms, weights, strict=True) if weight}
    assert {name: value.item() for name, value in found.items()} == pytest.approx(wanted, rel=1e-5, abs=1e-6)
    assert found_total.item() == pytest.approx(total.item(), rel=1e-5, abs=1e-6)
    total.backward()  # type: ignore[no-untyped-call]
    for one, other in zip(model.parameters(), literal.parameters(), strict=True):
        assert other.grad is not None
        torch.testing.assert_close(one.grad, other.grad, atol=1e-6, rtol=1e-4)


@pytest.mark.parametrize(("training", "decoded"), [("own", [4, 4]), ("crossed", [8, 8]), ("one-sided", [8, 8])])
def test_each_text_is_encoded_once_and_cross_reconstructions_only_when_used(training: str, decoded: list[int]) -> None:
    data = made_data()
    model = FSVAE(10, 14, MODEL, torch.Generator().manual_seed(0))
    forward, batch = made_step(data, model, settings_of(training), 1)
    rows = Counter[str]()
    for name, layer in model.named_modules():
        if name.endswith(("encoder", "decoder")):
            layer.register_forward_hook(lambda layer, given, out, name=name: rows.update({name: len(out)}))
    weighted_sum(forward(1, 5, batch))
    assert (rows["skeleton.encoder"], rows["text.encoder"]) == (4, 2)
    assert [rows["skeleton.decoder"], rows["text.decoder"]] == decoded


def test_each_clip_is_used_once_before_any_again() -> None:
    rows = np.concatenate(list(islice(batch_rows(12, 5, "epoch", np.random.default_rng(0)), 12)))
    for start in range(0, 60, 12):
        assert sorted(rows[start : start + 12]) == list(range(12))


def test_a_set_smaller_than_a_batch_is_repeated() -> None:
    batch = next(batch_rows(3, 8, "epoch", np.random.default_rng(0)))
    assert np.bincount(batch).tolist() in ([3, 3, 2], [3, 2, 3], [2, 3, 3])
    states, _ = train(data=made_data(clips=3))
    assert len(states) == 3


def by_direct_transcription(clips: int, size: int, generator: np.random.Generator) -> Iterator[np.ndarray]:
    """What the public code's loader gives: a new order of all clips for every step, and the first batch of it."""
    while True:
        yield generator.permutation(clips)[:size]


@pytest.mark.parametrize("drawn", [batch_rows, by_direct_transcription])
def test_shuffled_for_every_step_every_batch_is_equally_likely(drawn: Callable[..., Iterator[np.ndarray]]) -> None:
    how = ("step",) if drawn is batch_rows else ()
    batches = list(islice(drawn(4, 2, *how, np.random.default_rng(0)), 12_000))
    places = Counter(tuple(batch) for batch in batches)
    assert len(places) == 12  # 4 x 3 ordered pairs of different clips
    assert all(850 < number < 1150 for number in places.values())  # 1000 +- 5 standard deviations
    again = sum(len(set(one) & set(next_one)) for one, next_one in pairwise(batches)) / (len(batches) - 1)
    assert again == pytest.approx(1, abs=0.03)  # half of a batch is in the next one too


def test_shuffled_for_every_step_a_large_set_is_drawn_evenly_and_the_same_again() -> None:
    first, again = (
        np.stack(list(islice(batch_rows(36_000, 64, "step", np.random.default_rng(seed)), 2000))) for seed in (3, 3)
    )
    assert np.array_equal(first, again)
    assert all(len(set(batch)) == 64 for batch in first.tolist())
    for column in (first, first[:, :1], first[:, -1:]):  # no place of a batch is for some clips
        tenths = np.bincount(column.ravel() // 3600, minlength=10) / column.size
        assert np.abs(tenths - 0.1).max() < 5 * (0.09 / column.size) ** 0.5


def test_shuffled_for_every_step_a_set_smaller_than_a_batch_is_the_batch() -> None:
    dataset = TensorDataset(torch.arange(3))
    (published,) = next(iter(DataLoader(dataset, batch_size=8, shuffle=True)))
    batch = next(batch_rows(3, 8, "step", np.random.default_rng(0)))
    assert sorted(batch) == sorted(published.tolist()) == [0, 1, 2]
    (states, rows), (_, again) = (
        train(SHORT.model_copy(update={"shuffle": "step"}), data=made_data(clips=3)) for _ in range(2)
    )
    assert len(states) == 3
    assert rows == again


def test_a_seed_gives_the_same_twice_and_another_seed_another() -> None:
    (first, rows), (second, again), (other, _) = train(), train(), train(seed=6)
    assert rows == again
    assert all(torch.equal(first[-1][name], second[-1][name]) for name in first[-1])
    assert not torch.equal(first[-1]["skeleton.encoder.weight"], other[-1]["skeleton.encoder.weight"])


def test_the_first_cycles_do_not_depend_on_how_many_follow() -> None:
    longer, shorter = train()[0], train(SHORT.model_copy(update={"cycles": 2}))[0]
    assert torch.equal(longer[1]["text.encoder.weight"], shorter[1]["text.encoder.weight"])


def test_losses_fall_and_every_one_is_on_in_the_end() -> None:
    states, rows = train(TrainSettings(cycles=3, steps_per_cycle=200, batch_size=16, learning_rate=1e-2))
    assert rows[-1]["skeleton"] < rows[0]["skeleton"]
    assert rows[-1]["text"] < rows[0]["text"]
    assert min(rows[-1][name] for name in ("skeleton_kl", "text_kl", "calibrated")) > 0
    assert rows[-1]["cross"] == 0
    assert [row["step"] for row in rows if row["cycle"] == 2] == list(range(19, 200, 20))
    assert [len(state) for state in states] == [len(FSVAE(10, 14, MODEL, torch.Generator()).state_dict())] * 3


@pytest.mark.parametrize("kind", ["one-sided", "two-sided", "all-pairs", "label-aware"])
def test_every_calibrated_loss_trains(kind: str) -> None:
    settings = TrainSettings.model_validate({"calibrated": kind, "cycles": 1, "steps_per_cycle": 20, "batch_size": 8})
    assert np.isfinite(train(settings)[1][-1]["total"])


def test_a_logged_row_has_the_columns_of_the_table_in_its_order() -> None:
    columns = ("cycle", "step", *(loss.name for loss in LOSSES), "total")
    assert columns == HISTORY_COLUMNS
    assert all(tuple(row) == columns for row in train()[1])


def test_a_constant_feature_and_equal_texts_train() -> None:
    data = made_data()
    constant = TrainingData(np.ones_like(data.skeletons), data.text_row, np.ones_like(data.texts))
    assert np.isfinite(train(data=constant)[1][-1]["total"])


@pytest.mark.parametrize("part", ["skeleton", "text"])
def test_nan_is_named(part: str) -> None:
    data = made_data()
    (data.skeletons if part == "skeleton" else data.texts)[2, 1] = np.nan
    with pytest.raises(ModelError, match=f"1 of .* {part} features hold NaN.*row 2"):
        TrainingData(data.skeletons, data.text_row, data.texts)


def test_a_diverging_loss_is_named() -> None:
    with pytest.raises(ModelError, match="learning_rate"):
        train(SHORT.model_copy(update={"learning_rate": 1e12}))


def test_no_clip_is_an_error() -> None:
    with pytest.raises(ModelError, match="no clip"):
        made_data(clips=0)
