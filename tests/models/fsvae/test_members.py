"""Several members trained at once: each gets what it gets alone, but for the order in which sums are rounded."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

import models.fsvae.losses as fsvae_losses
from data.random_streams import BACKBONE_ORDER, FSVAE_WEIGHTS
from models.errors import ModelError
from models.fsvae import training
from models.fsvae.batches import MemberDraws, TrainingData, batch_rows, draw_batches
from models.fsvae.frequency import dct, inverse_dct
from models.fsvae.losses import LOSSES, Loss
from models.fsvae.model import FSVAE
from models.fsvae.settings import ModelSettings, TrainSettings
from models.fsvae.step import TrainingStep
from models.fsvae.training import Member, Trained, train_member, train_members
from models.torch_generators import torch_generator
from pipeline.workspace.config import build_config

CPU = torch.device("cpu")
# Measured over all presets: 8e-6 of how far the weights moved, and 3e-7 of the losses.
WEIGHTS_TOLERANCE, LOSS_TOLERANCE = 1e-4, 1e-5
EVERY_LOSS = {"kl_start": 0, "kl_ramp": 10, "calibrated_start": 0, "text_kl_cycle": 1}


def made_data(clips: int, actions: int, features: int = 10, seed: int = 0) -> TrainingData:
    generator = np.random.default_rng(seed)
    skeletons = generator.random((clips, features)).astype(np.float32)
    return TrainingData(skeletons, np.arange(clips) % actions, generator.normal(size=(actions, 15)).astype(np.float32))


PHASES = (made_data(40, 11), made_data(25, 6, seed=1))  # of different sizes, as in a run


def settings_of(model: dict[str, Any] | None = None, **train: Any) -> tuple[ModelSettings, TrainSettings]:
    short = {"cycles": 2, "steps_per_cycle": 5, "batch_size": 8, "schedule": EVERY_LOSS, "cross_weight": 0.1}
    config = build_config({"model": {"latent": 4, **(model or {})}, "train": {**short, **train}}, "test")
    return config.model, config.train


def members_of(data: Sequence[TrainingData] = PHASES) -> list[Member]:
    return [Member(data[phase], (seed, phase)) for seed in (5, 6) for phase in (0, 1)]


def far(one: Trained, other: Trained, model: ModelSettings, member: Member) -> bool:
    """Whether two trainings of a member differ by more than rounding."""
    first = torch_generator(FSVAE_WEIGHTS.torch_seed(*member.entropy))
    begun = FSVAE(member.data.skeletons.shape[1], member.data.texts.shape[1], model, first).state_dict()
    (state, rows), (other_state, other_rows) = ((trained[0][-1], trained[1]) for trained in (one, other))
    assert list(state) == list(other_state)
    moved = [torch.linalg.norm(state[name] - begun[name]) for name in state]
    apart = [torch.linalg.norm(state[name] - other_state[name]) for name in state]
    weights = any(float(a) > WEIGHTS_TOLERANCE * float(m) for a, m in zip(apart, moved, strict=True))
    losses, other_losses = (np.array([list(row.values()) for row in of]) for of in (rows, other_rows))
    return weights or not np.allclose(losses, other_losses, rtol=LOSS_TOLERANCE, atol=1e-7)


def alone(members: Sequence[Member], model: ModelSettings, settings: TrainSettings) -> list[Trained]:
    return [train_member(member.data, model, settings, member.entropy, CPU) for member in members]


def assert_as_alone(model: ModelSettings, settings: TrainSettings, told: str = "") -> None:
    members, said = members_of(), list[str]()
    together = train_members(members, model, settings, CPU, said.append)
    assert len(said) == bool(told)
    assert told in "".join(said)
    for member, one, other in zip(members, together, alone(members, model, settings), strict=True):
        assert not far(one, other, model, member)


@pytest.mark.parametrize("frequency", ["both", "skeleton", "none"])
@pytest.mark.parametrize("noise", ["sample", "dimension"])
@pytest.mark.parametrize("preset", ["default", "paper", "released"])
def test_each_member_is_what_it_is_alone(preset: str, noise: str, frequency: str) -> None:
    model = {"preset": preset, "noise": noise, "frequency": {"apply_to": frequency}}
    assert_as_alone(*settings_of(model))


@pytest.mark.parametrize("calibrated", ["all-pairs", "label-aware"])
def test_each_member_has_its_own_negatives(calibrated: str) -> None:
    assert_as_alone(*settings_of({"hidden": [6]}, calibrated=calibrated))


@pytest.mark.parametrize(("stream", "other"), [("FSVAE_NOISE", FSVAE_WEIGHTS), ("FSVAE_BATCHES", BACKBONE_ORDER)])
def test_other_noise_or_other_batches_are_noticed(stream: str, other: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    model, settings = settings_of()
    members = members_of()
    expected = alone(members, model, settings)
    monkeypatch.setattr(training, stream, other)
    together = train_members(members, model, settings, CPU)
    for member, one, wanted in zip(members, together, expected, strict=True):
        assert far(one, wanted, model, member)


def test_batches_are_those_of_each_member_alone() -> None:
    steps, first_rows = 300, ((0, 0), (40, 11))  # more steps than are drawn at once

    def draws(phase: int, first: tuple[int, int]) -> MemberDraws:
        data, generator = PHASES[phase], np.random.default_rng(phase)
        rows = batch_rows(len(data.skeletons), 8, "epoch", generator)
        return MemberDraws(rows, data.text_row, first, 3, torch.Generator().manual_seed(phase))

    both = list(draw_batches(steps, [draws(phase, first_rows[phase]) for phase in (0, 1)], CPU))
    assert len(both) == steps
    fewer = 0
    for phase, (clip, action) in enumerate(first_rows):
        for batch, one in zip(both, draw_batches(steps, [draws(phase, (0, 0))], CPU), strict=True):
            member, single = batch.of_member(phase), one.of_member(0)
            assert torch.equal(member.clips, single.clips + clip)
            assert torch.equal(member.actions, single.actions + action)
            assert torch.equal(member.noise, single.noise)
            assert torch.equal(member.permutation, single.permutation)
            assert torch.equal(member.distinct_actions[member.place_of_action], member.actions)
            assert torch.equal(torch.unique(member.distinct_actions), single.distinct_actions + action)
            assert torch.equal(single.distinct_actions, torch.unique(single.actions))
            fewer += len(single.distinct_actions) < len(member.distinct_actions)
    assert fewer > 100  # so that places were left


def test_the_end_of_each_cycle_is_told_to_each_member() -> None:
    told: list[tuple[int, int, int]] = []

    def on_cycle(seed: int, phase: int) -> Any:
        return lambda cycle, row: told.append((seed, phase, cycle)) if row["total"] > 0 else None

    members = [Member(member.data, member.entropy, on_cycle(*member.entropy)) for member in members_of()]
    train_members(members, *settings_of(), CPU)
    assert told == [(seed, phase, cycle) for cycle in (1, 2) for seed in (5, 6) for phase in (0, 1)]


def test_a_member_whose_loss_diverges_is_an_error() -> None:
    model, settings = settings_of(learning_rate=1e12)
    with pytest.raises(ModelError, match="learning_rate"):
        train_members(members_of(), model, settings, CPU)


def largest_if_positive(step: TrainingStep) -> Tensor:
    """Looks at a number, which torch.vmap can't do."""
    return step.skeleton_mu.square().mean() if step.skeleton_mu.max().item() > 0 else step.skeleton_mu.sum() * 0


def test_a_loss_that_looks_at_numbers_trains_members_in_turns_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    late = Loss("late", "late", largest_if_positive, weight=lambda step: float(step.number > 2))
    for module in (fsvae_losses, training):
        monkeypatch.setattr(module, "LOSSES", (*LOSSES, late))
    assert_as_alone(*settings_of(), told="take turns")


def test_a_broken_loss_raises_its_own_error(monkeypatch: pytest.MonkeyPatch) -> None:
    broken = Loss("broken", "broken", lambda step: step.skeleton @ step.text, weight=lambda step: 1.0)
    monkeypatch.setattr(fsvae_losses, "LOSSES", (broken,))
    with pytest.raises(RuntimeError, match="shapes cannot be multiplied"):
        train_members(members_of(), *settings_of(), CPU)


def test_members_whose_batches_differ_in_size_are_trained_one_after_another() -> None:
    data, said = (made_data(40, 11), made_data(6, 3)), list[str]()
    model, settings = settings_of({"preset": "released"})
    members = members_of(data)
    together = train_members(members, model, settings, CPU, said.append)
    assert "one after another" in "".join(said)
    for (states, rows), (expected, expected_rows) in zip(together, alone(members, model, settings), strict=True):
        assert rows == expected_rows
        assert all(torch.equal(states[-1][name], expected[-1][name]) for name in expected[-1])


@pytest.mark.parametrize("size", [1, 6, 7])
def test_the_transforms_of_several_members_are_those_of_each(size: int) -> None:
    rows = torch.randn((3, 4, size), generator=torch.Generator().manual_seed(0), requires_grad=True)
    for transform in (dct, inverse_dct):
        both = torch.vmap(transform, in_dims=1, out_dims=1)(rows)
        assert torch.equal(both, transform(rows))
        (gradient,) = torch.autograd.grad(both.sin().sum(), rows)
        (expected,) = torch.autograd.grad(transform(rows).sin().sum(), rows)
        assert torch.equal(gradient, expected)
