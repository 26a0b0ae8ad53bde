"""Training of one member: the FS-VAE of one seed in one phase.

Members share nothing, so they are trained apart, each with one thread, and the result of a member does not depend on
which others are trained beside it. What makes a step cheap: the DCT of all features is taken once, the batches and the
noise of a cycle are drawn at once, the text encoder sees each action of a batch once, and cross-reconstructions are
decoded only while a loss uses them.

Letters: N training clips, C actions, B batch, D features, Z latent, E steps a cycle.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from models.errors import ModelError
from models.frequency import dct
from models.fsvae import FSVAE
from models.fsvae_settings import ModelSettings, TrainSettings
from models.losses import calibrated_loss, kl_divergence
from models.schedules import Schedule, schedule_of
from models.vae import draw_latents, noise_width

LOGGED_PER_CYCLE = 10
DRAWN_AT_ONCE = 256  # steps; bounds the memory that drawn noise takes
State = dict[str, Tensor]


@dataclass(frozen=True)
class TrainingData:
    """What one phase trains on: skeleton features (N, D_s), each clip's row (N,) in the texts (C, D_t)."""

    skeletons: NDArray[np.float32]
    text_row: NDArray[np.int64]
    texts: NDArray[np.float32]

    def __post_init__(self) -> None:
        for name, rows in (("skeleton", self.skeletons), ("text", self.texts)):
            bad = np.flatnonzero(~np.isfinite(rows).all(axis=1))
            if len(bad):
                raise ModelError(
                    f"{len(bad)} of {len(rows)} {name} features hold NaN or infinite numbers (the first in row "
                    f"{bad[0]}); FS-VAE needs finite ones"
                )
        if not len(self.skeletons):
            raise ModelError("there is no clip to train FS-VAE on")


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

    `entropy` seeds everything random. Raises ModelError when the loss stops being finite.
    """
    init_seed, batch_seed, noise_seed = (int(word) for word in np.random.SeedSequence(entropy).generate_state(3))
    model = FSVAE(
        data.skeletons.shape[1], data.texts.shape[1], model_settings, torch.Generator().manual_seed(init_seed)
    ).to(device)
    optimiser = torch.optim.Adam(model.parameters(), lr=settings.learning_rate, fused=True)
    schedule = schedule_of(settings.schedule, settings.steps_per_cycle)
    steps = TrainingSteps(model, data, settings, schedule, device)
    rows = batch_rows(len(data.skeletons), settings.batch_size, np.random.default_rng(batch_seed))
    width, noise = noise_width(model_settings.noise, model_settings.latent), torch.Generator().manual_seed(noise_seed)
    states: list[State] = []
    history: list[LossRow] = []
    for cycle in range(1, settings.cycles + 1):
        batches = _draw_batches(settings.steps_per_cycle, rows, data.text_row, width, noise, device)
        logged = _train_cycle(steps, optimiser, cycle, settings.steps_per_cycle, batches)
        history += logged
        on_cycle(cycle, logged[-1])
        states.append(_state(model, with_decoders=cycle == settings.cycles))
    return states, history


def batch_rows(clips: int, size: int, generator: np.random.Generator) -> Iterator[NDArray[np.int64]]:
    """Rows of one batch after another, (B,): pass after pass over all clips in random order, cut into batches.

    The released code shuffles anew for every step instead; here each clip is used once before any is used again. A set
    smaller than a batch is repeated within it.
    """
    queue = np.empty(0, dtype=np.int64)
    while True:
        while len(queue) < size:
            queue = np.concatenate((queue, generator.permutation(clips)))
        yield queue[:size]
        queue = queue[size:]


@dataclass(frozen=True)
class Batch:
    """Everything random of one step, and each action of the batch once (U <= B of them)."""

    clips: Tensor  # (B,) rows of the skeleton features
    text_of_clip: Tensor  # (B,) rows of the texts
    texts: Tensor  # (U,) rows of the texts, each once
    place_of_clip: Tensor  # (B,) places in `texts`
    noise: Tensor  # (2, B, 1 or Z), for skeletons and texts
    permutation: Tensor  # (B,)


def _draw_batches(
    steps: int,
    rows: Iterator[NDArray[np.int64]],
    text_row: NDArray[np.int64],
    width: int,
    generator: torch.Generator,
    device: torch.device,
) -> Iterator[Batch]:
    """The batches of `steps` steps, drawn on the CPU so that every device gets the same, many at once."""
    for start in range(0, steps, DRAWN_AT_ONCE):
        clips = np.stack([next(rows) for _ in range(min(DRAWN_AT_ONCE, steps - start))])  # (steps, B)
        text_of_clip = text_row[clips]
        unique = [np.unique(row, return_inverse=True) for row in text_of_clip]
        noise = torch.randn((len(clips), 2, clips.shape[1], width), generator=generator).to(device)
        permutations = torch.rand(clips.shape, generator=generator).argsort(dim=1).to(device)
        yield from map(
            Batch,
            torch.from_numpy(clips).to(device),
            torch.from_numpy(text_of_clip).to(device),
            [torch.from_numpy(texts).to(device) for texts, _ in unique],
            torch.from_numpy(np.stack([place for _, place in unique])).to(device),
            noise,
            permutations,
        )


def _state(model: FSVAE, with_decoders: bool) -> State:
    return {
        name: tensor.detach().cpu().clone()
        for name, tensor in model.state_dict().items()
        if with_decoders or ".decoder" not in name
    }


class TrainingSteps:
    """The loss of one batch, with everything that does not change from step to step computed once."""

    def __init__(
        self,
        model: FSVAE,
        data: TrainingData,
        settings: TrainSettings,
        schedule: Schedule,
        device: torch.device,
    ) -> None:
        self.model, self.settings, self.schedule = model, settings, schedule
        self.skeletons = torch.tensor(data.skeletons, device=device)
        self.texts = torch.tensor(data.texts, device=device)
        with torch.no_grad():
            self.skeleton_input = dct(self.skeletons) if model.skeleton_frequency else self.skeletons
            self.text_input = dct(self.texts) if model.text_frequency else self.texts
        self.zero = torch.zeros((), device=device)

    def loss(self, cycle: int, step: int, batch: Batch) -> tuple[Tensor, list[Tensor]]:
        """The total of one step, and its terms in the order of LossRow."""
        model, settings = self.model, self.settings
        skeleton_in = self.skeleton_input.index_select(0, batch.clips)  # (B, D_s)
        text_in = self.text_input.index_select(0, batch.texts)  # (U, D_t)
        if model.skeleton_frequency:
            skeleton_in = model.skeleton_frequency.enhance(skeleton_in)
        if model.text_frequency:
            text_in = model.text_frequency.enhance(text_in)
        mu_s, logvar_s = model.skeleton.encode(skeleton_in)  # (B, Z)
        mu_t, logvar_t = (half.index_select(0, batch.place_of_clip) for half in model.text.encode(text_in))  # (B, Z)
        z_s, z_t = draw_latents(mu_s, logvar_s, batch.noise[0]), draw_latents(mu_t, logvar_t, batch.noise[1])

        skeletons = self.skeletons.index_select(0, batch.clips)  # (B, D_s)
        texts = self.texts.index_select(0, batch.text_of_clip)  # (B, D_t)
        zero = self.zero
        calibrated_on = self.schedule.calibrated(step) and settings.alpha > 0
        crossing = calibrated_on or settings.cross_weight > 0
        if crossing:
            skeleton_own, skeleton_from_text = model.skeleton.decode(torch.cat((z_s, z_t))).chunk(2)
            text_own, text_from_skeleton = model.text.decode(torch.cat((z_t, z_s))).chunk(2)
        else:
            skeleton_own, text_own = model.skeleton.decode(z_s), model.text.decode(z_t)

        skeleton, text = nn.functional.mse_loss(skeleton_own, skeletons), nn.functional.mse_loss(text_own, texts)
        weight_s, weight_t = self.schedule.skeleton_kl(step), self.schedule.text_kl(cycle, step)
        kl_s = kl_divergence(mu_s, logvar_s) if weight_s else zero
        kl_t = kl_divergence(mu_t, logvar_t) if weight_t else zero
        total = skeleton + text + weight_s * kl_s + weight_t * kl_t
        calibrated = cross = zero
        if calibrated_on:
            calibrated = calibrated_loss(
                settings.calibrated,
                skeletons,
                skeleton_from_text,
                texts,
                text_from_skeleton,
                batch.permutation,
                batch.text_of_clip,
                settings.lambda_,
            )
            total = total + settings.lambda_ * settings.alpha * calibrated
        if settings.cross_weight:
            cross = nn.functional.mse_loss(skeleton_from_text, skeletons) + nn.functional.mse_loss(
                text_from_skeleton, texts
            )
            total = total + settings.cross_weight * cross
        return total, [skeleton, text, kl_s, kl_t, calibrated, cross, total]


def _train_cycle(
    steps: TrainingSteps, optimiser: torch.optim.Optimizer, cycle: int, number: int, batches: Iterable[Batch]
) -> list[LossRow]:
    logged: list[LossRow] = []
    every = max(1, number // LOGGED_PER_CYCLE)
    for step, batch in enumerate(batches):
        optimiser.zero_grad(set_to_none=True)
        total, terms = steps.loss(cycle, step, batch)
        total.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        if step % every == every - 1 or step == number - 1:
            logged.append(LossRow(cycle, step, *(term.item() for term in terms)))
            if not np.isfinite(logged[-1].total):
                raise ModelError(
                    f"the loss is {logged[-1].total} at step {step} of cycle {cycle}: {logged[-1]}; a lower "
                    "train.learning_rate may help, or features of a smaller scale"
                )
    return logged
