"""The names of NTU RGB+D clips: S001C002P003R002A013 says setup, camera, subject, replication and action, from 1."""

import re
from dataclasses import dataclass
from typing import Self

from data.errors import DataError

MAX_NUMBER = 999  # as much as a name can tell
_PATTERN = re.compile(r"S(\d{3})C(\d{3})P(\d{3})R(\d{3})A(\d{3})", re.ASCII)


@dataclass(frozen=True, order=True, slots=True)
class ClipName:
    """What a clip's name says, every number from 1. Ordered as the names are; `str` gives the name back."""

    setup: int
    camera: int
    subject: int
    replication: int
    action: int

    @classmethod
    def parse(cls, name: str) -> Self:
        """Read a name without folder and ending. Raises DataError when it is no clip name."""
        match = _PATTERN.fullmatch(name)
        if match is None or "000" in match.groups():
            raise DataError(f'"{name}" is no clip name; clips are called as in NTU RGB+D, S001C001P001R001A001')
        return cls(*(int(number) for number in match.groups()))

    def __str__(self) -> str:
        place = f"S{self.setup:03d}C{self.camera:03d}"
        return f"{place}P{self.subject:03d}R{self.replication:03d}A{self.action:03d}"
