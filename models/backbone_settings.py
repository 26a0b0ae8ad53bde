"""Settings of the Shift-GCN: the table [backbone] of config.toml."""

from typing import Literal

from pydantic import BaseModel, Field


class BackboneSettings(BaseModel, extra="forbid", frozen=True):
    """The network that turns a clip into a 256-d feature, and how it is trained."""

    weights: str = Field("", description='a Shift-GCN checkpoint, used frozen for both phases; "" = train one a phase')
    frames: int = Field(300, ge=1, description="clips are looped, or sampled down, to this length")
    epochs: int = Field(140, ge=1, description="passes over the training clips")
    batch_size: int = Field(64, ge=1, description="clips a step")
    learning_rate: float = Field(0.1, gt=0, description="of SGD with Nesterov momentum 0.9")
    precision: Literal["fp32", "bf16", "fp16"] = Field("fp32", description="of training; bf16 and fp16 need a GPU")
