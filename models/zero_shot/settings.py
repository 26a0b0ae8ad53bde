"""Settings of the gate: the table [evaluate.gate] of config.toml."""

from pydantic import BaseModel, Field


class GateSettings(BaseModel, extra="forbid", frozen=True, allow_inf_nan=False):
    """The gate: a logistic regression that decides whether a clip shows a seen or an unseen action."""

    temperature: float = Field(2.0, gt=0, description="of the backbone's softmax")
    c: float = Field(1.0, gt=0, description="inverse strength of the gate's L2 penalty; 2 is the released code's 1")
    balanced: bool = Field(
        True, description="both kinds of clips of the val phase weigh the same; false: each clip does, as published"
    )
    held_out: float = Field(
        0.0, ge=0, lt=1, description="share of the clips of each kind that are held out of the fit (released code: 0.2)"
    )
    threshold: float = Field(0.5, ge=0, le=1, description="a clip is unseen from this probability on")
