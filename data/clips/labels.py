"""Label files of data sets whose recordings hold many clips -> rows of a manifest.

PKU-MMD     one file a recording, with its name: a line a clip, `action,first frame,last frame,confidence`
UTKinect    one file for all recordings: a line with the recording's name, then a line a clip, `action: first last`
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from data.errors import DataError, RawFileError

MAX_BYTES = 1 << 26
_PKU = re.compile(r"(\d+)\s*,\s*(\d+)\s*,\s*(\d+)\s*(,.*)?")
_NAMED = re.compile(r"([^:,]+?)\s*:\s*(\S+)\s+(\S+)")
_RECORDING = re.compile(r"[\w.-]+")


@dataclass(frozen=True, slots=True)
class Label:
    """A clip in a recording: `action` is a number or a word, `start_frame` and `end_frame` are both in the clip."""

    recording: str
    action: str
    start_frame: int
    end_frame: int
    source: str
    line: int


def read_labels(path: Path) -> tuple[list[Label], list[RawFileError]]:
    """Read a label file of either kind, and refuse single lines (a clip whose ends are no numbers, say).

    Raises DataError when the file can't be read or has lines of neither kind.
    """
    labels: list[Label] = []
    refused: list[RawFileError] = []
    recording = path.stem
    for line, text in enumerate(_text(path).splitlines(), start=1):
        text = text.strip()
        if not text:
            continue
        if match := _PKU.fullmatch(text) or _NAMED.fullmatch(text):
            action, start, end = match[1], match[2], match[3]
            if not (start.isdecimal() and end.isdecimal()):
                refused.append(RawFileError(str(path), f"{action} from {start} to {end}: no numbers of frames", line))
            elif int(start) > int(end):
                refused.append(RawFileError(str(path), f"{action} ends at {end} before it starts at {start}", line))
            else:
                labels.append(Label(recording, action, int(start), int(end), str(path), line))
        elif _RECORDING.fullmatch(text):
            recording = text
        else:
            raise DataError(
                f"{path}, line {line}: {text[:60]!r} is neither `action,first frame,last frame,confidence` (PKU-MMD), "
                "nor a recording's name followed by lines `action: first frame last frame` (UTKinect)"
            )
    return labels, refused


def _text(path: Path) -> str:
    try:
        if path.stat().st_size > MAX_BYTES:
            raise DataError(f"{path}: {path.stat().st_size} bytes, which is too large for labels")
        return path.read_text("utf-8-sig")
    except OSError as error:
        raise DataError(f"{path}: can't be read ({error.strerror})") from error
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: not UTF-8 text ({error.reason} at byte {error.start})") from error


def recording_of(label: Label, stems: Sequence[str]) -> str | None:
    """Return which of the recordings' names `stems` a label belongs to.

    It is the one of the label's name, else the only one that holds it between other characters, as joints_s01_e01 does
    s01_e01. None when there is no such recording, or several.
    """
    if label.recording in stems:
        return label.recording
    holding = list(_holding(label.recording, stems))
    return holding[0] if len(holding) == 1 else None


def _holding(name: str, stems: Sequence[str]) -> Iterator[str]:
    pattern = re.compile(rf"(?<![A-Za-z0-9]){re.escape(name)}(?![A-Za-z0-9])")
    return (stem for stem in stems if pattern.search(stem))
