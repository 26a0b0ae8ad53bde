"""Protocols: which clips train. The named ones are the official ones of NTU RGB+D and PKU-MMD.

NTU's divide clips by numbers in their names: subjects, cameras or setups. PKU-MMD's come with the data, as lists of
videos (protocol_list.py).
"""

import json
from collections.abc import Mapping, Sequence
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from data.errors import DataError
from data.protocol_list import read_protocol_list, video_name
from data.settings import DatasetSettings
from data.splits import CUSTOM

Numbers = NDArray[np.integer]


@cache
def _official() -> dict[str, Any]:
    table: dict[str, Any] = json.loads(resources.files("data").joinpath("protocols.json").read_text("utf-8"))
    return table


def list_name(settings: DatasetSettings) -> str:
    """Returns the name of the file that the protocol comes in, as "cross-subject.txt"; "" when it needs none."""
    official: dict[str, Any] = _official().get(settings.name, {})
    return str(official.get(settings.protocol, {}).get("list", ""))


def training_clips(
    settings: DatasetSettings, setup: Numbers, camera: Numbers, subject: Numbers, paths_from: Path = Path()
) -> NDArray[np.bool_]:
    """Returns (N,) flags: true for the clips in the protocol's training part. All others are its test part.

    `setup`, `camera` and `subject` are (N,). `settings.protocol_list` is relative to `paths_from`. Raises DataError
    when the protocol is not defined for the data set, when its list is missing or broken or lacks a clip, when a custom
    protocol lists some numbers that no clip has, or when either part has no clip.
    """
    columns = {"setups": setup, "cameras": camera, "subjects": subject}
    if list_name(settings):
        path = paths_from / Path(settings.protocol_list).expanduser()
        told, train = settings.protocol_list, _listed_clips(settings, path, setup, camera)
    else:
        train_lists = _train_lists(settings)
        told = ", ".join(f"{key} = {list(numbers)}" for key, numbers in train_lists.items())
        train = _numbered_clips(settings, train_lists, columns)
    for part, clips in (("training", train), ("test", ~train)):
        if not clips.any():
            present = ", ".join(f"{key} {np.unique(numbers).tolist()}" for key, numbers in reversed(columns.items()))
            alone = settings.protocol == CUSTOM and len(np.unique(subject)) == 1
            hint = "; clips of one subject are divided by train_setups or train_cameras" if alone else ""
            raise DataError(
                f'protocol "{settings.protocol}" leaves 0 of {len(train)} clips in its {part} part '
                f"(training: {told}; found: {present}); change dataset.protocol or its train_ lists{hint}"
            )
    return train


def _listed_clips(settings: DatasetSettings, path: Path, setup: Numbers, camera: Numbers) -> NDArray[np.bool_]:
    """Returns which clips are of a video in the training list. Each clip's video must be in a list."""
    if not settings.protocol_list:
        raise DataError(
            f'protocol "{settings.protocol}" of {settings.name} is a list of videos that comes with the data: '
            f'name that file, {list_name(settings)}, as dataset.protocol_list; or use protocol = "{CUSTOM}"'
        )
    listed = read_protocol_list(path)
    by_camera = settings.protocol == "xview"
    if listed.divides_views != by_camera:
        divides = "the views of one recording" if listed.divides_views else "whole recordings"
        raise DataError(
            f'{path} puts {divides} into different parts, which is not protocol "{settings.protocol}"; '
            f"name {list_name(settings)} as dataset.protocol_list, or change dataset.protocol"
        )
    videos = list(zip(setup.tolist(), camera.tolist(), strict=True))
    neither = sorted(set(videos) - listed.training - listed.validation)
    if neither:
        more = f" and {len(neither) - 1} more" if len(neither) > 1 else ""
        raise DataError(
            f"{path} has {video_name(*neither[0])}{more} neither under its training nor under its validation videos, "
            "but clips are of it; the setup and the camera of a clip must be those of its video"
        )
    return np.array([video in listed.training for video in videos], dtype=bool)


def _numbered_clips(
    settings: DatasetSettings, train_lists: Mapping[str, Sequence[int]], columns: Mapping[str, Numbers]
) -> NDArray[np.bool_]:
    """Returns which clips have a setup, camera or subject that `train_lists` name."""
    train = np.zeros(len(columns["subjects"]), dtype=bool)
    for key, numbers in columns.items():
        listed = train_lists.get(f"train_{key}", ())
        unknown = np.setdiff1d(listed, numbers)
        if settings.protocol == CUSTOM and 0 < len(unknown) < len(listed):
            raise DataError(
                f"dataset.train_{key} names {', '.join(map(str, unknown))}, but the clips have only {key} "
                f"{', '.join(map(str, np.unique(numbers)))}; remove the others from the list"
            )
        train |= np.isin(numbers, listed)
    return train


def _train_lists(settings: DatasetSettings) -> dict[str, Sequence[int]]:
    """Returns the lists of subjects, cameras or setups that train, by the name of their setting."""
    keys = ("train_subjects", "train_cameras", "train_setups")
    if settings.protocol_list:
        raise DataError(
            f"dataset.protocol_list is only for protocols that come as lists of videos, not for "
            f'"{settings.protocol}" of {settings.name}; remove it'
        )
    custom_lists = {key: getattr(settings, key) for key in keys if getattr(settings, key)}
    if settings.protocol == CUSTOM:
        if len(custom_lists) != 1:
            raise DataError(
                f'dataset.protocol = "{CUSTOM}" needs exactly one of {", ".join(keys)}; found {len(custom_lists)}'
            )
        return custom_lists
    if custom_lists:
        raise DataError(
            f'dataset.{next(iter(custom_lists))} is only for protocol = "{CUSTOM}", not for "{settings.protocol}"'
        )
    official = _official().get(settings.name, {})
    if settings.protocol not in official:
        raise DataError(
            f'dataset.protocol = "{settings.protocol}" is not defined for dataset.name = "{settings.name}"; '
            f"use {' or '.join([*official, CUSTOM])}"
        )
    train_lists: dict[str, Sequence[int]] = official[settings.protocol]
    return train_lists
