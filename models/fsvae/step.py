"""The forward pass of one training step. The losses (losses.py) look at it, and autograd computes the gradients.

Three things make a step fast:
- The DCT of all features is computed once, before training (gained_dct.py).
- The text encoder sees each action of a batch once, however many clips show it.
- A reconstruction is decoded when a loss asks for it. A step without cross-reconstructions never decodes them.

Letters: B batch, U distinct actions of a batch, D features, Z latent.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

from torch import Tensor

from models.fsvae.batches import Batch
from models.fsvae.frequency import FrequencyModule
from models.fsvae.gained_dct import GainedDCT
from models.fsvae.model import FSVAE
from models.fsvae.schedules import Schedule
from models.fsvae.settings import TrainSettings
from models.fsvae.tables import FeatureTables
from models.fsvae.vae import draw_latents


@dataclass(frozen=True, eq=False)
class TrainingStep:
    """Everything that a loss may look at: the step's place in training, its batch, and the model's outputs.

    Row i of every tensor belongs to clip i of the batch: its skeleton, or the text of its action.
    """

    settings: TrainSettings
    schedule: Schedule
    cycle: int  # from 1
    number: int  # of the step within its cycle, from 0
    model: FSVAE
    actions: Tensor  # (B,) the same number for clips of the same action
    permutation: Tensor  # (B,) random
    skeleton: Tensor  # (B, D_s) features in the feature space, before the frequency module
    text: Tensor  # (B, D_t)
    skeleton_mu: Tensor  # (B, Z)
    skeleton_logvar: Tensor  # (B, Z)
    skeleton_latent: Tensor  # (B, Z) drawn from mu and logvar
    text_mu: Tensor  # (B, Z)
    text_logvar: Tensor  # (B, Z)
    text_latent: Tensor  # (B, Z)

    @cached_property
    def skeleton_from_skeleton(self) -> Tensor:
        """Skeleton features decoded from the skeletons' latents, (B, D_s)."""
        return self.model.skeleton.decode(self.skeleton_latent)

    @cached_property
    def text_from_text(self) -> Tensor:
        """Text features decoded from the texts' latents, (B, D_t)."""
        return self.model.text.decode(self.text_latent)

    @cached_property
    def skeleton_from_text(self) -> Tensor:
        """Skeleton features decoded from the texts' latents, (B, D_s): a cross-reconstruction."""
        return self.model.skeleton.decode(self.text_latent)

    @cached_property
    def text_from_skeleton(self) -> Tensor:
        """Text features decoded from the skeletons' latents, (B, D_t): a cross-reconstruction."""
        return self.model.text.decode(self.skeleton_latent)


class ForwardPass:
    """Runs the model on batches, whose clips and actions are rows of the tables."""

    def __init__(self, model: FSVAE, tables: FeatureTables, settings: TrainSettings, schedule: Schedule) -> None:
        self.model, self.settings, self.schedule = model, settings, schedule
        self.skeletons, self.texts = tables.skeletons, tables.texts
        self._enhanced_skeletons = enhanced_rows(self.skeletons, model.skeleton_frequency)
        self._enhanced_texts = enhanced_rows(self.texts, model.text_frequency)

    def __call__(self, cycle: int, number: int, batch: Batch) -> TrainingStep:
        """The step `number` (from 0) of `cycle` (from 1), on `batch`."""
        skeleton_mu, skeleton_logvar = self.model.skeleton.encode(self._enhanced_skeletons(batch.clips))  # (B, Z) each
        distinct = self.model.text.encode(self._enhanced_texts(batch.distinct_actions))  # (U, Z) each
        text_mu, text_logvar = (rows.index_select(0, batch.place_of_action) for rows in distinct)  # (B, Z) each
        return TrainingStep(
            settings=self.settings,
            schedule=self.schedule,
            cycle=cycle,
            number=number,
            model=self.model,
            actions=batch.actions,
            permutation=batch.permutation,
            skeleton=self.skeletons.index_select(0, batch.clips),
            text=self.texts.index_select(0, batch.actions),
            skeleton_mu=skeleton_mu,
            skeleton_logvar=skeleton_logvar,
            skeleton_latent=draw_latents(skeleton_mu, skeleton_logvar, batch.noise[0]),
            text_mu=text_mu,
            text_logvar=text_logvar,
            text_latent=draw_latents(text_mu, text_logvar, batch.noise[1]),
        )


def enhanced_rows(features: Tensor, frequency: FrequencyModule | None) -> Callable[[Tensor], Tensor]:
    """A function that picks rows (B,) of `features` (N, D) as the encoder sees them, (B, D)."""
    if frequency is None:
        return lambda index: features.index_select(0, index)
    gained = GainedDCT(features)
    return lambda index: gained.rows(index, frequency.gains())
