"""Settings of FS-VAE: the tables [model], [train] and [evaluate.classifier] of config.toml.

The defaults written here are the preset `default`; docs/fs-vae.md says what it was measured on. presets.toml spells out
the presets `paper` and `released`.
"""

from typing import Annotated, Literal

from pydantic import BaseModel, Field

from models.feature_kinds import FeatureKind

SCALED = -1  # a setting of the schedule with this value is as published, scaled to the length of the cycle


class FrequencySettings(BaseModel, extra="forbid", frozen=True, allow_inf_nan=False):
    """The frequency enhanced module: learnt gains on the DCT coefficients of a feature."""

    apply_to: Literal["skeleton", "both", "none"] = Field("both", description="which branches have the module")
    form: Literal["paper", "released"] = Field(
        "released", description="cutoff and position counted in coefficients (paper), or in whole bands (released code)"
    )
    bands: int = Field(30, ge=1, description="bands of DCT coefficients; each has a learnt weight")
    cutoff: int = Field(
        30, ge=0, description="low are coefficients up to this one (phi, 35, in the paper), or bands that end by it"
    )
    position: bool = Field(True, description="gains also depend on the coefficient's place; false = weights alone")
    strength: float = Field(0.3, description="first value of the learnt strength")


class ModelSettings(BaseModel, extra="forbid", frozen=True, allow_inf_nan=False):
    """The two cross-aligned VAEs."""

    preset: Literal["default", "paper", "released"] = Field(
        "default", description="gives values to those keys of model, train and evaluate that the file does not set"
    )
    aligner: Literal["fsvae", "ridge"] = Field(
        "fsvae", description="fsvae, or ridge: a closed form without training, for comparison"
    )
    features: FeatureKind = Field(
        "half-whitened",
        description="space of the skeleton features: as given (published), standardised, or whitened within actions",
    )
    latent: int = Field(100, ge=1, description="dimensions of the shared latent space")
    hidden: tuple[Annotated[int, Field(ge=1)], ...] = Field(
        (), description="widths of the hidden layers of encoders and decoders"
    )
    decoder_relu: bool = Field(False, description="a ReLU behind the decoders, as in the released code")
    noise: Literal["sample", "dimension"] = Field(
        "sample", description="latent noise: one number for a sample (released code), or one for each dimension"
    )
    frequency: FrequencySettings = FrequencySettings()


class ScheduleSettings(BaseModel, extra="forbid", frozen=True, allow_inf_nan=False):
    """When the losses begin within a cycle, in steps; -1 = as published, scaled to the length of the cycle."""

    kl_start: int = Field(SCALED, ge=SCALED, description="the weight of the skeleton KL term rises from this step on")
    kl_ramp: int = Field(SCALED, ge=SCALED, description="steps in which a KL weight rises by kl_weight")
    kl_weight: float = Field(0.1, ge=0, description="how much a KL weight rises in kl_ramp steps; it is not capped")
    calibrated_start: int = Field(
        SCALED, ge=SCALED, description="after this step the calibrated loss is on, and the text KL term rises"
    )
    text_kl_cycle: int = Field(3, ge=1, description="the text KL term is used from this cycle on (1 = the first)")


class TrainSettings(BaseModel, extra="forbid", frozen=True, allow_inf_nan=False, populate_by_name=True):
    """How FS-VAE is trained; the same in both phases."""

    seeds: tuple[Annotated[int, Field(ge=0)], ...] = Field(
        (5,), min_length=1, description="each seed trains one model; results are their mean and spread"
    )
    cycles: int = Field(10, ge=1, description="restarts of the loss schedule")
    steps_per_cycle: int = Field(340, ge=1, description="optimiser steps a cycle")
    batch_size: int = Field(64, ge=1, description="clips a step")
    shuffle: Literal["epoch", "step"] = Field(
        "epoch", description="shuffle the clips again when all were used, or in every step (released code)"
    )
    learning_rate: float = Field(3e-4, gt=0, description="of Adam")
    alpha: float = Field(0.5, ge=0, description="weight of the calibrated loss, times lambda")
    lambda_: float = Field(
        100.0, gt=0, alias="lambda", description="temperature of the calibrated loss, and a factor of its weight"
    )
    calibrated: Literal["one-sided", "two-sided", "all-pairs", "label-aware"] = Field(
        "one-sided", description="which pairs count as negatives (models/fsvae/calibrated_loss.py)"
    )
    cross_weight: float = Field(0.0, ge=0, description="weight of plain cross-reconstruction")
    schedule: ScheduleSettings = ScheduleSettings()
    workers: int = Field(0, ge=0, description="processes that train one member (seed, phase) each; 0 = all cores")


class ClassifierSettings(BaseModel, extra="forbid", frozen=True, allow_inf_nan=False):
    """The unseen classifier: names the unseen action whose text fits a clip best."""

    kind: Literal["decoded", "regression"] = Field(
        "decoded",
        description="decoded: the cosine to what a text's latent decodes to; regression: softmax regression on latents "
        "drawn from the texts, as published, with the settings below",
    )
    samples: int = Field(500, ge=1, description="latent samples an action")
    steps: int = Field(300, ge=1, description="full-batch steps of Adam")
    learning_rate: float = Field(1e-3, gt=0, description="of Adam")
    relu: bool = Field(False, description="a ReLU in front of the softmax, as in the released code")
    start: Literal["kaiming", "xavier"] = Field(
        "kaiming", description="first weights: those of torch.nn.Linear, or Xavier's without bias, as in released code"
    )
