"""Settings of the evaluation: the table [evaluate] of config.toml."""

from typing import Literal, get_args

from pydantic import BaseModel, Field

from models.fsvae.settings import ClassifierSettings
from models.zero_shot.settings import GateSettings

Rule = Literal["val", "last", "oracle"]  # which cycle of training counts; pipeline/stages/scoring.py says how
RULES: tuple[Rule, ...] = get_args(Rule)


class EvaluateSettings(BaseModel, extra="forbid", frozen=True, allow_inf_nan=False):
    """How trained models are scored, and what the headline of the results is."""

    selection: Rule = Field("val", description="the rule that picks the cycle")
    classifier: ClassifierSettings = ClassifierSettings()
    gate: GateSettings = GateSettings()
