"""Settings of the data stages: the tables [dataset] and [preprocess] of config.toml."""

from typing import Literal

from pydantic import BaseModel, Field

from data.recipes import Recipe

MADE_DATASET = "demo"  # the name of the data set whose clips `fsvae-pipe demo` makes


class DatasetSettings(BaseModel, extra="forbid", frozen=True, allow_inf_nan=False):
    """The data set: its raw files, the clips that train, and the unseen actions."""

    name: str = Field("ntu60", description="ntu60, ntu120, pku51, or any name of your own")
    raw: tuple[str, ...] = Field((), description="folders, zip archives or single files, relative to config.toml")
    layout: str = Field("ntu", description='joints and axes of the raw files: a name, a TOML file, or "auto"')
    manifest: str = Field("", description='a CSV of what each clip is; "" = the names of the raw files say it')
    fps: float = Field(0, ge=0, le=1000, description="frames a second of the raw files; 0 = as they or the layout say")
    mirrored: bool = Field(False, description="the raw files were made from mirrored films")
    protocol: Literal["xsub", "xview", "xset", "custom"] = Field("xsub", description="which clips train")
    protocol_list: str = Field("", description="pku51: the file that says which videos train, cross-subject.txt")
    train_subjects: tuple[int, ...] = Field((), description="custom protocol: these subjects train")
    train_cameras: tuple[int, ...] = Field((), description="custom protocol: these cameras train")
    train_setups: tuple[int, ...] = Field((), description="custom protocol: these setups train")
    descriptions: str = Field("", description='a CSV of your own (action,label,local,global); "" = the built-in texts')
    split: str = Field("ntu60-synse-55-5", description='a named split, or "custom" with unseen and val_unseen')
    unseen: tuple[str, ...] = Field((), description='custom split: the unseen actions, as "A011"')
    val_unseen: tuple[str, ...] = Field((), description="custom split: the pseudo-unseen actions; none = drawn by seed")


class PreprocessSettings(BaseModel, extra="forbid", frozen=True, allow_inf_nan=False):
    """How raw skeletons are cleaned and normalised."""

    recipe: Recipe = Field(
        "shift-gcn",
        description="shift-gcn, denoised or tracked: which bodies are kept",
    )
    fps: float = Field(30, ge=0, le=1000, description="frames a second of the clips in skeletons.h5; 0 = as recorded")
    workers: int = Field(0, ge=0, description="worker processes; 0 = all cores")
