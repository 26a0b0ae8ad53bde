"""Settings of the text encoder: the table [text] of config.toml."""

from typing import Literal

from pydantic import BaseModel, Field

Level = Literal["label", "local", "global"]


class TextSettings(BaseModel, extra="forbid", frozen=True):
    """Which encoder reads the descriptions, and which of their levels are used."""

    encoder: str = Field("clip", description="clip, minilm (offline), or a sentence-transformers name or folder")
    levels: tuple[Level, ...] = Field(
        ("label", "local", "global"), min_length=1, description="concatenated in this order"
    )
