"""Settings of the backbone: the table [backbone] of config.toml. The defaults are Shift-GCN's published recipe."""

from typing import Literal

from pydantic import BaseModel, Field, field_validator

from models.backbone.networks import NETWORKS


class BackboneSettings(BaseModel, extra="forbid", frozen=True, allow_inf_nan=False):
    """The network that turns a clip into a feature, and how it is trained."""

    network: str = Field("shift-gcn", description=f"which network: {', '.join(NETWORKS)}")
    weights: str = Field("", description='a checkpoint of it, used frozen for both phases; "" = train one a phase')
    known: str = Field(
        "",
        description="actions of another data set that the weights know, to learn from: ntu60, ntu120, pku51 or a CSV "
        'of texts; "" = as their record says; none = do not',
    )
    frames: int = Field(300, ge=4, description="clips are looped, or sampled down, to this length")
    epochs: int = Field(140, ge=1, description="passes over the training clips")
    batch_size: int = Field(64, ge=2, description="clips in a step, over all processes")
    learning_rate: float = Field(0.1, gt=0, description="the highest one, of SGD with Nesterov momentum 0.9")
    schedule: Literal["steps", "one-cycle"] = Field(
        "steps",
        description="steps: x0.1 after 60, 80 and 100 of 140 epochs; one-cycle: warm-up and cosine, for few epochs",
    )
    offset_gradient: Literal["normalised", "plain"] = Field(
        "normalised",
        description="shift-gcn: gradient of the temporal offsets, its sign times 0.01 as released, or plain",
    )
    clip_gradient: float = Field(0.0, ge=0, description="largest norm of the gradient; 0 = no limit")
    label_smoothing: float = Field(0.0, ge=0, lt=1, description="share of the target spread over all classes")
    rotation_degrees: float = Field(0.0, ge=0, le=180, description="augmentation: turn by up to this about each axis")
    scaling: float = Field(0.0, ge=0, lt=1, description="augmentation: scale each axis by up to 1 +- this")
    time_crop: float = Field(1.0, gt=0, le=1, description="augmentation: the shortest stretch of the clip, as a share")
    held_out: float = Field(
        0.1, gt=0, lt=1, description="share of the training part that is not trained on, to measure the backbone"
    )
    keep: Literal["best", "last"] = Field("best", description="weights of the epoch that does best on held-out clips")
    precision: Literal["fp32", "bf16", "fp16"] = Field("fp32", description="of training; bf16 and fp16 need a GPU")

    @field_validator("network")
    @classmethod
    def _is_known(cls, name: str) -> str:
        if name not in NETWORKS:
            raise ValueError(f"there is no such network; use one of {', '.join(NETWORKS)}")
        return name
