"""Training of one member: the FS-VAE of one seed in one phase.

Members share nothing, so they are trained apart, each with one thread, and the result of a member does not depend on
which others are trained beside it.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from data.random_streams import FSVAE_BATCHES, FSVAE_NOISE, FSVAE_WEIGHTS
from models.errors import ModelError
from models.fsvae.batches import Batch, TrainingData, batch_rows, draw_batches
from models.fsvae.model import FSVAE
from models.fsvae.schedules import schedule_of
from models.fsvae.settings import ModelSettings, TrainSettings
from models.fsvae.step import TrainingStep
from models.fsvae.vae import noise_width
from models.generators import torch_generator

LOGGED_PER_CYCLE = 10
State = dict[str, Tensor]


@dataclass(frozen=True)
class LossRow:
    """The losses of one logged step, before their weights; cross and calibrated are 0 while they are off."""

    cycle: int  # from 1
    step: int  # from 0
    skeleton: float
    text: float
    skeleton_kl: float
    text_kl: float
    calibrated: float
    cross: float
    total: float


def train_member(
    data: TrainingData,
    model_settings: ModelSettings,
    settings: TrainSettings,
    entropy: tuple[int, ...],
    device: torch.device,
    on_cycle: Callable[[int, LossRow], None] = lambda cycle, row: None,
) -> tuple[list[State], list[LossRow]]:
    """Train one FS-VAE; its state after every cycle (decoders only in the last), and the logged losses.

    `entropy` is the seed and the phase's number, which everything random is drawn from. Raises ModelError when the loss
    stops being finite.
    """
    weights, noise = (torch_generator(stream.torch_seed(*entropy)) for stream in (FSVAE_WEIGHTS, FSVAE_NOISE))
    model = FSVAE(data.skeletons.shape[1], data.texts.shape[1], model_settings, weights).to(device)
    schedule = schedule_of(settings.schedule, settings.steps_per_cycle)
    steps = TrainingStep(model, data, settings, schedule, device)
    optimiser = torch.optim.Adam([steps.parameters], lr=settings.learning_rate, fused=True)
    generator = FSVAE_BATCHES.generator(*entropy)
    rows = batch_rows(len(data.skeletons), settings.batch_size, settings.shuffle, generator)
    width = noise_width(model_settings.noise, model_settings.latent)
    states: list[State] = []
    history: list[LossRow] = []
    for cycle in range(1, settings.cycles + 1):
        batches = draw_batches(settings.steps_per_cycle, rows, data.text_row, width, noise, device)
        logged = _train_cycle(steps, optimiser, cycle, settings.steps_per_cycle, batches)
        history += logged
        on_cycle(cycle, logged[-1])
        states.append(_state(model, with_decoders=cycle == settings.cycles))
    return states, history


def _state(model: FSVAE, with_decoders: bool) -> State:
    return {
        name: tensor.detach().cpu().clone(memory_format=torch.contiguous_format)
        for name, tensor in model.state_dict().items()
        if with_decoders or ".decoder" not in name
    }


def _train_cycle(
    steps: TrainingStep, optimiser: torch.optim.Optimizer, cycle: int, number: int, batches: Iterable[Batch]
) -> list[LossRow]:
    logged: list[LossRow] = []
    every = max(1, number // LOGGED_PER_CYCLE)
    for step, batch in enumerate(batches):
        told = step % every == every - 1 or step == number - 1
        losses = steps.gradients(cycle, step, batch, told)
        optimiser.step()
        if told:
            logged.append(LossRow(cycle, step, *losses))
            if not np.isfinite(logged[-1].total):
                raise ModelError(
                    f"the loss is {logged[-1].total} at step {step} of cycle {cycle} (features reach "
                    f"{steps.skeleton.features.abs().max().item():.3g}); lower train.learning_rate, or train the "
                    "backbone longer when features are far above 100"
                )
    return logged
