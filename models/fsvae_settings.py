"""Settings of FS-VAE: the tables [model], [train] and [evaluate] of config.toml."""

from typing import Literal

from pydantic import BaseModel, Field


class FrequencySettings(BaseModel, extra="forbid", frozen=True):
    """The frequency enhanced module: learnt gains on the DCT bands of a feature."""

    apply_to: Literal["skeleton", "both", "none"] = Field("both", description="which branches have the module")
    bands: int = Field(30, ge=1, description="equal bands of DCT coefficients")
    cutoff: int = Field(30, ge=0, description="coefficients up to this one count as low")
    strength: float = Field(0.3, description="first value of the learnt strength")


class ModelSettings(BaseModel, extra="forbid", frozen=True):
    """The two cross-aligned VAEs."""

    latent: int = Field(100, ge=1, description="dimensions of the shared latent space")
    frequency: FrequencySettings = FrequencySettings()


class TrainSettings(BaseModel, extra="forbid", frozen=True, populate_by_name=True):
    """How FS-VAE is trained; the same in both phases."""

    seeds: tuple[int, ...] = Field(
        (5,), min_length=1, description="one model a seed; results are their mean and spread"
    )
    cycles: int = Field(10, ge=1, description="restarts of the loss schedule")
    steps_per_cycle: int = Field(1700, ge=1, description="optimiser steps a cycle")
    batch_size: int = Field(64, ge=1, description="clips a step")
    learning_rate: float = Field(1e-4, gt=0, description="of Adam")
    alpha: float = Field(0.5, ge=0, description="weight of the calibrated loss")
    lambda_: float = Field(100.0, gt=0, alias="lambda", description="temperature of the calibrated loss")


class EvaluateSettings(BaseModel, extra="forbid", frozen=True):
    """What the headline of the results is."""

    selection: Literal["val", "last", "oracle"] = Field("val", description="the rule that picks the cycle")
