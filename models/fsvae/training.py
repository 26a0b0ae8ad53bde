"""Training of FS-VAE. A member is one seed in one phase.

There is one training loop, for any number of members at once. On a CPU each member is trained on its own with one
thread, so its result does not depend on which others are trained at the same time. A GPU trains all members together
(members.py): they draw the same batches and noise as alone, and sums are rounded in another order.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from data.random_streams import FSVAE_BATCHES, FSVAE_NOISE, FSVAE_WEIGHTS
from models.errors import ModelError
from models.fsvae.batches import Batch, MemberDraws, TrainingData, batch_rows, batch_size, draw_batches
from models.fsvae.known_clips import known_clips
from models.fsvae.losses import LOSSES
from models.fsvae.members import StepOfMembers
from models.fsvae.model import FSVAE
from models.fsvae.schedules import schedule_of
from models.fsvae.settings import ModelSettings, TrainSettings
from models.fsvae.step import ForwardPass
from models.fsvae.tables import FeatureTables
from models.fsvae.vae import noise_width
from models.torch_generators import torch_generator

LOGGED_PER_CYCLE = 10
HISTORY_COLUMNS = ("cycle", "step", *(loss.name for loss in LOSSES), "total")
State = dict[str, Tensor]
# Of one logged step. Here with the keys HISTORY_COLUMNS: losses before their weights, 0 while they are off.
LossRow = dict[str, float]
Trained = tuple[list[State], list[LossRow]]  # the state after every cycle, and the logged losses


@dataclass(frozen=True)
class Member:
    """What one member is trained on.

    `entropy` is the seed and the phase's number, which everything random is drawn from. `on_cycle` is called after each
    cycle with its number (from 1) and its last logged losses.
    """

    data: TrainingData
    entropy: tuple[int, ...]
    on_cycle: Callable[[int, LossRow], None] = lambda cycle, row: None


def train_member(
    data: TrainingData,
    model_settings: ModelSettings,
    settings: TrainSettings,
    entropy: tuple[int, ...],
    device: torch.device,
    on_cycle: Callable[[int, LossRow], None] = lambda cycle, row: None,
) -> Trained:
    """Train one FS-VAE. Raises ModelError when the loss is no longer finite."""
    [trained] = train_members([Member(data, entropy, on_cycle)], model_settings, settings, device)
    return trained


def train_members(
    members: Sequence[Member],
    model_settings: ModelSettings,
    settings: TrainSettings,
    device: torch.device,
    tell: Callable[[str], None] = lambda message: None,
) -> list[Trained]:
    """Train all `members` at once.

    Members whose features or batches differ in size, and losses that torch.vmap can't compute, are computed one member
    after another; `tell` is called with the reason. Raises ModelError when a loss is no longer finite.
    """
    if len({_sizes(member.data, settings) for member in members}) > 1:
        tell("the phases differ in the size of their features or batches, so members are trained one after another")
        return [train_members([member], model_settings, settings, device)[0] for member in members]
    tables = FeatureTables((member.data for member in members), model_settings.features, device)
    models = [_first_model(member, tables, model_settings).to(device) for member in members]
    forward = ForwardPass(models[0], tables, settings, schedule_of(settings.schedule, settings.steps_per_cycle))
    step = StepOfMembers(models, forward, tell)
    optimiser = torch.optim.Adam(step.parameters(), lr=settings.learning_rate, fused=True)
    width = noise_width(model_settings.noise, model_settings.latent)
    draws = [_draws(member, tables, settings, width) for member in members]
    trained: list[Trained] = [([], []) for _ in members]
    for cycle in range(1, settings.cycles + 1):
        batches = draw_batches(settings.steps_per_cycle, draws, device)
        logged = _train_cycle(step, optimiser, cycle, batches, forward)
        for member, (states, history), state, rows in zip(members, trained, step.states(), logged, strict=True):
            states.append(state)
            history += rows
            member.on_cycle(cycle, rows[-1])
    return trained


def _sizes(data: TrainingData, settings: TrainSettings) -> tuple[int, ...]:
    """What members must share to be trained together."""
    size = batch_size(len(data.skeletons) + known_clips(data), settings.batch_size, settings.shuffle)
    return size, data.skeletons.shape[1], data.texts.shape[1]


def _first_model(member: Member, tables: FeatureTables, settings: ModelSettings) -> FSVAE:
    data, weights = member.data, torch_generator(FSVAE_WEIGHTS.torch_seed(*member.entropy))
    model = FSVAE(data.skeletons.shape[1], data.texts.shape[1], settings, weights)
    model.space = tables.spaces[data]
    return model


def _draws(member: Member, tables: FeatureTables, settings: TrainSettings, width: int) -> MemberDraws:
    data, generator = tables.trained_on[member.data], FSVAE_BATCHES.generator(*member.entropy)
    rows = batch_rows(len(data.skeletons), settings.batch_size, settings.shuffle, generator)
    noise = torch_generator(FSVAE_NOISE.torch_seed(*member.entropy))
    return MemberDraws(rows, data.text_row, tables.first_rows[member.data], width, noise)


def _train_cycle(
    step: StepOfMembers, optimiser: torch.optim.Optimizer, cycle: int, batches: Iterable[Batch], forward: ForwardPass
) -> list[list[LossRow]]:
    """Train one cycle. Return the logged losses of each member."""
    logged: list[list[LossRow]] = []  # a row for each member, for each step that is logged
    steps = forward.settings.steps_per_cycle
    every = max(1, steps // LOGGED_PER_CYCLE)
    for number, batch in enumerate(batches):
        totals, values = step(cycle, number, batch)
        optimiser.zero_grad()
        totals.sum().backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        if number % every == every - 1 or number == steps - 1:
            logged.append(_rows(cycle, number, totals, values))
            _require_finite(logged[-1], forward.skeletons)
    return [list(rows) for rows in zip(*logged, strict=True)]


def _rows(cycle: int, number: int, totals: Tensor, values: dict[str, Tensor]) -> list[LossRow]:
    """The logged losses of one step, a row for each member."""
    zero = torch.zeros_like(totals)
    columns = {loss.name: values.get(loss.name, zero).tolist() for loss in LOSSES} | {"total": totals.tolist()}
    rows = zip(*columns.values(), strict=True)
    return [{"cycle": cycle, "step": number, **dict(zip(columns, row, strict=True))} for row in rows]


def _require_finite(rows: Sequence[LossRow], skeletons: Tensor) -> None:
    for row in rows:
        if not np.isfinite(row["total"]):
            raise ModelError(
                f"the loss is {row['total']} at step {row['step']} of cycle {row['cycle']} (features reach "
                f"{skeletons.abs().max().item():.3g}); lower train.learning_rate, or train the backbone longer when "
                "features are far above 100"
            )
