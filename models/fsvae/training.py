"""Training of one member: the FS-VAE of one seed in one phase.

Members share nothing. Each is trained on its own with one thread, so its result does not depend on which others are
trained at the same time.
"""

from collections.abc import Callable, Iterable

import numpy as np
import torch
from torch import Tensor

from data.random_streams import FSVAE_BATCHES, FSVAE_NOISE, FSVAE_WEIGHTS
from models.errors import ModelError
from models.feature_space import FeatureSpace
from models.fsvae.batches import Batch, TrainingData, batch_rows, draw_batches
from models.fsvae.known_clips import with_known_clips
from models.fsvae.losses import LOSSES, weighted_sum
from models.fsvae.model import FSVAE
from models.fsvae.schedules import schedule_of
from models.fsvae.settings import ModelSettings, TrainSettings
from models.fsvae.step import ForwardPass
from models.fsvae.vae import noise_width
from models.torch_generators import torch_generator

LOGGED_PER_CYCLE = 10
HISTORY_COLUMNS = ("cycle", "step", *(loss.name for loss in LOSSES), "total")
State = dict[str, Tensor]
LossRow = dict[str, float]  # HISTORY_COLUMNS of one logged step: losses before their weights, 0 while they are off


def train_member(
    data: TrainingData,
    model_settings: ModelSettings,
    settings: TrainSettings,
    entropy: tuple[int, ...],
    device: torch.device,
    on_cycle: Callable[[int, LossRow], None] = lambda cycle, row: None,
) -> tuple[list[State], list[LossRow]]:
    """Train one FS-VAE. Returns its state after every cycle, and the logged losses.

    `entropy` is the seed and the phase's number, which everything random is drawn from. `on_cycle` is called after each
    cycle with its number (from 1) and its last logged losses. Raises ModelError when the loss is no longer finite.
    """
    weights, noise = (torch_generator(stream.torch_seed(*entropy)) for stream in (FSVAE_WEIGHTS, FSVAE_NOISE))
    model = FSVAE(data.skeletons.shape[1], data.texts.shape[1], model_settings, weights)
    if model.space is not None:
        model.space = FeatureSpace.fit(data.skeletons, data.text_row, model_settings.features)
        data = with_known_clips(data, model.space)
    model = model.to(device)
    forward = ForwardPass(model, data, settings, schedule_of(settings.schedule, settings.steps_per_cycle), device)
    optimiser = torch.optim.Adam(model.parameters(), lr=settings.learning_rate, fused=True)
    generator = FSVAE_BATCHES.generator(*entropy)
    rows = batch_rows(len(data.skeletons), settings.batch_size, settings.shuffle, generator)
    width = noise_width(model_settings.noise, model_settings.latent)
    states: list[State] = []
    history: list[LossRow] = []
    for cycle in range(1, settings.cycles + 1):
        batches = draw_batches(settings.steps_per_cycle, rows, data.text_row, width, noise, device)
        logged = _train_cycle(forward, optimiser, cycle, batches)
        history += logged
        on_cycle(cycle, logged[-1])
        states.append({name: tensor.detach().cpu().clone() for name, tensor in model.state_dict().items()})
    return states, history


def _train_cycle(
    forward: ForwardPass, optimiser: torch.optim.Optimizer, cycle: int, batches: Iterable[Batch]
) -> list[LossRow]:
    logged: list[LossRow] = []
    steps = forward.settings.steps_per_cycle
    every = max(1, steps // LOGGED_PER_CYCLE)
    for number, batch in enumerate(batches):
        total, values = weighted_sum(forward(cycle, number, batch))
        optimiser.zero_grad()
        total.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        if number % every == every - 1 or number == steps - 1:
            losses = {loss.name: values[loss.name].item() if loss.name in values else 0.0 for loss in LOSSES}
            logged.append({"cycle": cycle, "step": number, **losses, "total": total.item()})
            _require_finite(logged[-1], forward.skeletons)
    return logged


def _require_finite(row: LossRow, skeletons: Tensor) -> None:
    if not np.isfinite(row["total"]):
        raise ModelError(
            f"the loss is {row['total']} at step {row['step']} of cycle {row['cycle']} (features reach "
            f"{skeletons.abs().max().item():.3g}); lower train.learning_rate, or train the backbone longer when "
            "features are far above 100"
        )
