"""Settings of the gate: the table [evaluate.gate] of config.toml."""

from typing import Literal

from pydantic import BaseModel, Field

GateKind = Literal["scores", "published"]


class GateSettings(BaseModel, extra="forbid", frozen=True, allow_inf_nan=False):
    """The gate tells seen from unseen clips."""

    kind: GateKind = Field(
        "scores",
        description="scores: ranks of the softmax's entropy, distance to seen clips and fit of the texts; published: a "
        "logistic regression on the largest probabilities",
    )
    temperature: float = Field(2.0, gt=0, description="of the backbone's softmax")
    threshold: float = Field(0.5, ge=0, le=1, description="a clip is unseen where the gate reaches this")
    c: float = Field(
        1.0, gt=0, description="published gate: inverse strength of its L2 penalty; 2 is the released code's 1"
    )
    balanced: bool = Field(
        True,
        description="published gate: seen and unseen clips of the val phase weigh the same; false: each clip does, as "
        "published",
    )
    held_out: float = Field(
        0.0,
        ge=0,
        lt=1,
        description="published gate: share of the clips, of either kind, that it isn't fitted to (released code: 0.2)",
    )
