"""Settings of the evaluation (the table [evaluate] of config.toml), and the names of the rules and ways it compares."""

from collections.abc import Mapping
from typing import Literal

from pydantic import BaseModel, Field

from models.fsvae.settings import ClassifierSettings
from models.zero_shot.settings import GateSettings

Rule = Literal["mean", "val", "last", "oracle"]

RULES: Mapping[Rule, str] = {  # the cycles of training that each rule takes for the test phase
    "mean": "log-probabilities averaged over the second half of the cycles",
    "val": "the cycle that is best on the pseudo-unseen actions of the val phase",
    "last": "the last cycle",
    "oracle": "the cycle that is best on the unseen test clips. Published numbers use it. Do not report it as a result",
}

Way = Literal["gzsl", "gzsl_tuned_gate", "gzsl_soft_gate", "gzsl_stacking", "gzsl_oracle_gate"]

GZSL_WAYS: Mapping[Way, str] = {  # ways to decide between seen and unseen actions: key in results.json -> name
    "gzsl": "fitted gate",  # of the headline
    "gzsl_tuned_gate": "tuned gate",
    "gzsl_soft_gate": "soft gate",
    "gzsl_stacking": "calibrated stacking",
    "gzsl_oracle_gate": "perfect gate",
}


class EvaluateSettings(BaseModel, extra="forbid", frozen=True, allow_inf_nan=False):
    """How trained models are scored, and what the headline of the results is."""

    selection: Rule = Field("mean", description="the rule of the headline, which says what cycles count")
    classifier: ClassifierSettings = ClassifierSettings()
    gate: GateSettings = GateSettings()

    def unused(self) -> list[str]:
        """Return a sentence for each setting that is not the default, but which the chosen kind does not read."""
        tables = {  # table -> the kind that reads every key of it, and the keys that each kind reads
            "classifier": ("regression", {"kind"}),
            "gate": ("published", {"kind", "temperature", "threshold"}),
        }
        sentences = []
        for table, (reader, shared) in tables.items():
            settings: BaseModel = getattr(self, table)
            values, defaults = settings.model_dump(), type(settings)().model_dump()
            sentences += [
                f'evaluate.{table}.{key} is set, but evaluate.{table}.kind = "{values["kind"]}" does not read it; '
                f'"{reader}" does'
                for key, value in values.items()
                if values["kind"] != reader and key not in shared and value != defaults[key]
            ]
        return sentences
