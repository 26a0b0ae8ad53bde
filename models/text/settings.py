"""Settings of the text encoder: the table [text] of config.toml."""

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, Field, field_validator

from descriptions.levels import LEVELS, Level

PLACE = "{}"
DType = Literal["float32", "bfloat16"]


def _with_one_place(template: str) -> str:
    if template.count(PLACE) != 1:
        raise ValueError(f'a template holds {PLACE} once, where the text goes, as in "a person does this: {PLACE}"')
    return template


Templates = tuple[Annotated[str, AfterValidator(_with_one_place)], ...]


class TemplateSettings(BaseModel, extra="forbid", frozen=True, allow_inf_nan=False, populate_by_name=True):
    """Prompt ensembles: a level's text is put into each of its templates, and the normalised features are averaged."""

    label: Templates = Field((), description='as in ["{}", "a person doing this: {}"]; none = the text as it stands')
    local: Templates = Field((), description="the same for the local texts")
    global_: Templates = Field((), alias="global", description="the same for the global texts")

    def by_level(self) -> Mapping[Level, Templates]:
        """The templates of each level; () where the text is encoded as it stands."""
        return {"label": self.label, "local": self.local, "global": self.global_}


class TextSettings(BaseModel, extra="forbid", frozen=True, allow_inf_nan=False):
    """Which encoder reads the descriptions, which of their levels are used, and in which words they are put."""

    encoder: str = Field(
        "clip",
        min_length=1,
        description="clip, minilm (offline), qwen3-0.6b, qwen3-8b, or a CLIP or sentence-transformers name or folder",
    )
    prompt: str = Field(
        "",
        description="an instruction before each text, or the name of one that the model brings, as in query; "
        '"" = as the model does by itself',
    )
    dimensions: int = Field(
        0, ge=0, description="keep this many first numbers of a feature, brought to length 1; 0 = all, as they are"
    )
    dtype: DType = Field("float32", description="of the encoder's weights: float32, or bfloat16 in half the memory")
    levels: tuple[Level, ...] = Field(LEVELS, min_length=1, description="concatenated in this order")
    templates: TemplateSettings = TemplateSettings()

    @field_validator("levels")
    @classmethod
    def _each_once(cls, levels: tuple[Level, ...]) -> tuple[Level, ...]:
        if len(set(levels)) < len(levels):
            raise ValueError("names a level twice")
        return levels
