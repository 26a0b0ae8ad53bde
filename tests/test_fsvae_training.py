"""Training of one member: a step against a direct transcription, batches, determinism, degenerate input."""

from itertools import islice

import numpy as np
import pytest
import torch
from torch.nn.functional import mse_loss

from models.errors import ModelError
from models.fsvae import FSVAE
from models.fsvae_settings import FrequencySettings, ModelSettings, ScheduleSettings, TrainSettings
from models.fsvae_training import Batch, LossRow, TrainingData, TrainingSteps, batch_rows, train_member
from models.losses import kl_divergence
from models.schedules import schedule_of
from models.vae import draw_latents

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


@pytest.mark.parametrize("apply_to", ["none", "skeleton", "both"])
def test_the_loss_of_a_step_is_the_papers_sum(apply_to: str) -> None:
    data = made_data()
    frequency = FrequencySettings.model_validate({"apply_to": apply_to})
    model = FSVAE(10, 14, ModelSettings(latent=3, frequency=frequency), torch.Generator().manual_seed(0))
    settings = TrainSettings(
        alpha=0.3,
        cross_weight=0.2,
        calibrated="two-sided",
        schedule=ScheduleSettings(kl_start=0, kl_ramp=10, calibrated_start=0, text_kl_cycle=1),
    )
    schedule = schedule_of(settings.schedule, 20)
    generator = torch.Generator().manual_seed(1)
    clips, permutation = torch.tensor([7, 3, 3, 12]), torch.tensor([2, 0, 3, 1])
    rows = torch.from_numpy(data.text_row)[clips]
    noise = torch.randn((2, 4, 3), generator=generator)
    texts, place = torch.unique(rows, return_inverse=True)
    steps = TrainingSteps(model, data, settings, schedule, CPU)
    total, _ = steps.loss(1, 5, Batch(clips, rows, texts, place, noise, permutation))

    s, t = torch.from_numpy(data.skeletons)[clips], torch.from_numpy(data.texts)[rows]
    mu_s, logvar_s = model.encode_skeletons(s)
    mu_t, logvar_t = model.encode_texts(t)
    z_s, z_t = draw_latents(mu_s, logvar_s, noise[0]), draw_latents(mu_t, logvar_t, noise[1])
    s_own, s_from_t = model.skeleton.decode(z_s), model.skeleton.decode(z_t)
    t_own, t_from_s = model.text.decode(z_t), model.text.decode(z_s)
    weight = 0.1 * 5 / 10
    expected = mse_loss(s_own, s) + mse_loss(t_own, t)
    expected = expected + weight * (kl_divergence(mu_s, logvar_s) + kl_divergence(mu_t, logvar_t))
    c_t = ((t - t_from_s).square().sum(1) - (t - t_from_s[permutation]).square().sum(1)) / 100
    c_s = ((s - s_from_t).square().sum(1) - (s - s_from_t[permutation]).square().sum(1)) / 100
    expected = expected + 100 * 0.3 * (c_t.sigmoid().mean() + c_s.sigmoid().mean())
    expected = expected + 0.2 * (mse_loss(s_from_t, s) + mse_loss(t_from_s, t))
    torch.testing.assert_close(total, expected)

    wanted = torch.autograd.grad(expected, list(model.parameters()), retain_graph=True)
    found = torch.autograd.grad(total, list(model.parameters()))
    for one, other in zip(found, wanted, strict=True):
        torch.testing.assert_close(one, other, atol=1e-5, rtol=1e-4)


def test_each_clip_is_used_once_before_any_again() -> None:
    rows = np.concatenate(list(islice(batch_rows(12, 5, np.random.default_rng(0)), 12)))
    for start in range(0, 60, 12):
        assert sorted(rows[start : start + 12]) == list(range(12))


def test_a_set_smaller_than_a_batch_is_repeated() -> None:
    batch = next(batch_rows(3, 8, np.random.default_rng(0)))
    assert np.bincount(batch).tolist() in ([3, 3, 2], [3, 2, 3], [2, 3, 3])
    states, _ = train(data=made_data(clips=3))
    assert len(states) == 3


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
    assert rows[-1].skeleton < rows[0].skeleton
    assert rows[-1].text < rows[0].text
    assert min(rows[-1].skeleton_kl, rows[-1].text_kl, rows[-1].calibrated) > 0
    assert {(row.cycle, row.step) for row in rows if row.cycle == 2} == {(2, step) for step in range(19, 200, 20)}
    assert [any("decoder" in name for name in state) for state in states] == [False, False, True]


@pytest.mark.parametrize("kind", ["one-sided", "two-sided", "all-pairs", "label-aware"])
def test_every_calibrated_loss_trains(kind: str) -> None:
    settings = TrainSettings.model_validate({"calibrated": kind, "cycles": 1, "steps_per_cycle": 20, "batch_size": 8})
    assert np.isfinite(train(settings)[1][-1].total)


def test_a_constant_feature_and_equal_texts_train() -> None:
    data = made_data()
    constant = TrainingData(np.ones_like(data.skeletons), data.text_row, np.ones_like(data.texts))
    assert np.isfinite(train(data=constant)[1][-1].total)


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
