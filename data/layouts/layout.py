"""Layouts of skeletons: which joints a source records, in which unit and axes, and how NTU's 25 joints come from them.

A layout is a TOML file. The built-in ones are data/layouts/NAME.toml; one of a user's own has the same keys, or names
a built-in one as `base` and gives only what differs.

Letters: T frames, M bodies, J joints of the source, V = 25 joints of ours.
"""

import difflib
import tomllib
from functools import cache, cached_property
from importlib import resources
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, Field, ValidationError, model_validator

from data.errors import DataError
from data.joints import JOINT_NAMES
from data.layouts.readers import ReaderOptions

MAX_BYTES = 1 << 20  # of a layout's file
MAX_JOINTS = 1000
AXES = {
    sign + letter: np.array([(other == letter) * factor for other in "xyz"], np.float64)
    for letter in "xyz"
    for sign, factor in (("", 1.0), ("-", -1.0))
}
Points = tuple[str | int, ...]


class Layout(BaseModel, extra="forbid", frozen=True, allow_inf_nan=False):
    """A layout of skeletons, as one sensor, program or data set writes them."""

    name: str = Field(description="the name in settings and messages")
    title: str = Field(description="what it is, in a few words")
    sources: tuple[str, ...] = Field((), description="addresses or documents of the makers")
    notes: str = Field("", description="what else to know")
    endings: tuple[str, ...] = Field((), description='the ends of its files\' names, as ".csv"')
    refused: str = Field("", description="why its files can't be used")
    joints: tuple[str, ...] = Field((), max_length=MAX_JOINTS, description="the joints, in the source's order")
    unit_m: float = Field(1.0, ge=0, description="metres in one unit; 0 = the source tells none")
    axes: tuple[str, str, str] = Field(("x", "y", "z"), description="NTU's x, y and z in the source's axes")
    fps: float = Field(0.0, ge=0, description="frames in a second; 0 = the file or the user says")
    turned: bool = Field(True, description="whether bodies are turned to face the camera before the recipe")
    zero_is_absent: bool = Field(True, description="whether a joint at 0, 0, 0 was not seen")
    map: dict[str, str | int | Points] = Field({}, description="our joint -> the source's, or those to average")
    reader: ReaderOptions | None = Field(None, description="how its files are read")

    @property
    def kind(self) -> str:
        """The kind of its reader; "" when its files are refused."""
        return self.reader.kind if self.reader else ""

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.refused:
            return self
        if self.reader is None:
            raise ValueError("reader: missing; say how files are read, as [reader] with kind = ...")
        if len(set(self.joints)) < len(self.joints) or not self.joints:
            raise ValueError("joints: name each joint of the source once, in its order")
        if unknown := [axis for axis in self.axes if axis not in AXES]:
            raise ValueError(f'axes: "{unknown[0]}" is none of {", ".join(AXES)}')
        determinant = round(float(np.linalg.det(self._rotation)))
        if determinant != 1:
            what = "mirrors the person (right becomes left)" if determinant else "names an axis twice"
            raise ValueError(f"axes: {list(self.axes)} {what}; change the sign of one axis, or exchange two of them")
        if missing := [joint for joint in JOINT_NAMES if joint not in self.map]:
            raise ValueError(f"map: {', '.join(missing)} missing; each of our 25 joints needs one of the source")
        if unknown := [joint for joint in self.map if joint not in JOINT_NAMES]:
            raise ValueError(f"map: {unknown[0]} is none of our joints{_closest(unknown[0], JOINT_NAMES)}")
        self._indices  # noqa: B018  # raises for an unknown joint of the source
        return self

    @cached_property
    def _rotation(self) -> NDArray[np.float64]:
        return np.stack([AXES[axis] for axis in self.axes])  # (3, 3): a row for each of our axes

    @cached_property
    def _indices(self) -> tuple[tuple[int, ...], ...]:
        """The indices of the source's joints that each of our joints is the mean of."""
        return tuple(self._index(joint) for joint in JOINT_NAMES)

    def _index(self, joint: str) -> tuple[int, ...]:
        value = self.map[joint]
        indices = []
        for given in value if isinstance(value, tuple) else (value,):
            if isinstance(given, str) and given not in self.joints:
                raise ValueError(f'map.{joint}: "{given}" is none of the joints{_closest(given, self.joints)}')
            index = self.joints.index(given) if isinstance(given, str) else given
            if not 0 <= index < len(self.joints):
                raise ValueError(f"map.{joint}: {given} is not 0 to {len(self.joints) - 1}")
            indices.append(index)
        if not indices:
            raise ValueError(f"map.{joint}: names no joint")
        return tuple(indices)

    def to_ntu(self, points: NDArray[np.floating[Any]]) -> NDArray[np.float32]:
        """Returns NTU's joints (T, M, V, 3), metres in NTU's axes, NaN where absent, of the source's (T, M, J, 3).

        The points are in the source's unit and axes, NaN where absent. With unit_m = 0 they are in metres:
        `open_recording` takes the unit from the body's size. A joint is absent when all that it is the mean of are; one
        that is partly there is the mean of what is there.

        Raises DataError when the points have another shape, or are infinite.
        """
        if points.ndim != 4 or points.shape[2:] != (len(self.joints), 3):
            raise DataError(
                f"points of shape {points.shape}, where {self.name} has (frames, bodies, {len(self.joints)}, 3)"
            )
        if np.isinf(points).any():
            raise DataError("points hold infinite numbers; NaN stands for absent ones")
        present = ~np.isnan(points).any(axis=-1)  # (T, M, J)
        if self.zero_is_absent:
            present &= (points != 0).any(axis=-1)
        else:
            present &= (points != 0).any(axis=(-1, -2))[..., None]  # a body of zeros is no body
        known = np.where(present[..., None], points, 0).astype(np.float64)  # (T, M, J, 3)
        weights = self._weights
        counts = present.astype(np.float64) @ weights.T  # (T, M, V)
        sums = np.einsum("vj,tmjc->tmvc", weights, known)  # (T, M, V, 3)
        with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
            means = sums / counts[..., None]
            joints: NDArray[np.float32] = (means @ self._rotation.T * (self.unit_m or 1.0)).astype(np.float32)
        return joints

    @cached_property
    def _weights(self) -> NDArray[np.float64]:
        weights = np.zeros((len(JOINT_NAMES), len(self.joints)))
        for row, indices in zip(weights, self._indices, strict=True):
            row[list(indices)] = 1
        return weights  # (V, J)


@cache
def layout_names() -> tuple[str, ...]:
    """Returns the names of the built-in layouts, sorted."""
    files = resources.files("data.layouts").iterdir()
    return tuple(sorted(file.name.removesuffix(".toml") for file in files if file.name.endswith(".toml")))


def load_layout(name_or_path: str) -> Layout:
    """Returns a built-in layout, or the one in a TOML file of one's own.

    Raises DataError for an unknown name, which lists the known ones, and for a file that is not a valid layout, with
    the file and the key.
    """
    if name_or_path in layout_names():
        return _built_in(name_or_path)
    if not name_or_path.endswith(".toml"):
        raise DataError(
            f'"{name_or_path}" is no layout{_closest(name_or_path, layout_names())}; known are '
            f"{', '.join(layout_names())}, or give the path of a .toml file"
        )
    path = Path(name_or_path)
    try:
        with path.open("rb") as stream:
            content = stream.read(MAX_BYTES + 1)
    except OSError as error:
        raise DataError(f"{name_or_path}: can't be read ({error.strerror})") from error
    layout = _parse(content, name_or_path)
    if layout.kind == "skeleton":
        raise DataError(
            f"{name_or_path}: describes .skeleton files, which are read as they are: in metres, with NTU's axes and "
            "joints. Change the files, or write them in another format"
        )
    return layout


@cache
def _built_in(name: str) -> Layout:
    return _parse(resources.files("data.layouts").joinpath(f"{name}.toml").read_bytes(), f"{name}.toml")


def _parse(content: bytes, source: str) -> Layout:
    if len(content) > MAX_BYTES:
        raise DataError(f"{source}: more than {MAX_BYTES} bytes; a layout is a short TOML file")
    try:
        table = tomllib.loads(content.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise DataError(f"{source}: not a TOML file ({str(error)[:200]})") from error
    table.setdefault("name", Path(source).stem)
    if (base := table.pop("base", None)) is not None:
        if base not in layout_names():
            known = ", ".join(layout_names())
            raise DataError(f'{source}, base: "{str(base)[:60]}" is no built-in layout; known are {known}')
        table = _merged(_built_in(base).model_dump(exclude_defaults=True), table)
    try:
        return Layout.model_validate(table)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"])
        reason = str(first.get("ctx", {}).get("error") or first["msg"])
        raise DataError(f"{source}{f', {key}' if key else ''}: {reason}") from error


def _merged(base: dict[str, Any], table: dict[str, Any]) -> dict[str, Any]:
    """Returns `base` with what `table` gives in its place. Tables within are merged too; a reader of another kind is
    not.
    """
    merged = dict(base)
    for key, value in table.items():
        old = base.get(key)
        merged[key] = value
        if isinstance(old, dict) and isinstance(value, dict) and value.get("kind") in (None, old.get("kind")):
            merged[key] = {**old, **value}
    return merged


def _closest(name: str, known: tuple[str, ...]) -> str:
    close = difflib.get_close_matches(name.lower(), known, n=1)
    return f'; do you mean "{close[0]}"?' if close else ""
