"""Clip names of NTU RGB+D: S001C002P003R002A013 is setup 1, camera 2, subject 3, replication 2, action 13."""

import re
from dataclasses import dataclass
from typing import Self

from data.errors import DataError

MAX_NUMBER = 999  # a name has three digits for each number
LEAST = {"setup": 1, "camera": 1, "subject": 1, "replication": 0, "action": 1}  # some count replications from 0
_PATTERN = re.compile(r"S(\d{3})C(\d{3})P(\d{3})R(\d{3})A(\d{3})", re.ASCII)


@dataclass(frozen=True, order=True, slots=True)
class ClipName:
    """The five numbers in a clip's name, each at least as LEAST says. They sort as names do; `str` gives the name."""

    setup: int
    camera: int
    subject: int
    replication: int
    action: int

    @classmethod
    def parse(cls, name: str) -> Self:
        """Parses a name without folder and ending. Raises DataError when it is not a clip name."""
        match = _PATTERN.fullmatch(name)
        numbers = [int(digits) for digits in match.groups()] if match else []
        if not numbers or any(number < least for number, least in zip(numbers, LEAST.values(), strict=True)):
            raise DataError(f'"{name}" is not a clip name; name clips as in NTU RGB+D, S001C001P001R001A001')
        return cls(*numbers)

    def __str__(self) -> str:
        start = f"S{self.setup:03d}C{self.camera:03d}"
        return f"{start}P{self.subject:03d}R{self.replication:03d}A{self.action:03d}"
