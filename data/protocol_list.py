"""The protocols of PKU-MMD, which come with its data as cross-subject.txt and cross-view.txt.

A file has four lines (the second header is misspelled in the published files, "Validataion"):

    Training videos:
    0002-L, 0002-M, 0002-R, 0003-L, ...
    Validation videos:
    0291-L, 0291-M, ...
"""

import re
from dataclasses import dataclass
from pathlib import Path

from data.errors import DataError

CAMERAS = {"L": 1, "M": 2, "R": 3}  # left, middle, right
VIDEO = re.compile(r"(?P<setup>\d{3,4})-(?P<camera>[LMR])")  # the name of a video: its number is a clip's setup
MAX_BYTES = 1 << 24
SHOWN_CHARACTERS = 40
_HEADER = re.compile(r"(?P<part>train|valid|test)[a-z]* videos? ?:(?P<rest>.*)", re.IGNORECASE)

Video = tuple[int, int]  # setup, camera


@dataclass(frozen=True)
class ProtocolList:
    """The videos whose clips train, and those whose clips are the test part."""

    training: frozenset[Video]
    validation: frozenset[Video]

    @property
    def divides_views(self) -> bool:
        """Whether most recordings have views in both parts, as in cross-view."""
        parts = [{setup for setup, _ in videos} for videos in (self.training, self.validation)]
        return len(parts[0] & parts[1]) > len(parts[0] | parts[1]) / 2


def video_name(setup: int, camera: int) -> str:
    """(3, 1) -> "0003-L"."""
    letters = {number: letter for letter, number in CAMERAS.items()}
    return f"{setup:04d}-{letters.get(camera, f'camera {camera}')}"


def read_protocol_list(path: Path) -> ProtocolList:
    """Read a list of videos. Raises DataError with the line of the first fault, also when a video is listed twice."""
    parts: dict[str, dict[Video, int]] = {}  # part -> video -> line
    part = ""
    for line, text in enumerate(_text(path).splitlines(), start=1):
        header = _HEADER.fullmatch(" ".join(text.split()))
        if header:
            part = "training" if header["part"].lower() == "train" else "validation"
            if part in parts:
                raise DataError(f"{path}, line {line}: the {part} videos begin a second time")
            parts[part], text = {}, header["rest"]
        for name in filter(None, map(str.strip, text.split(","))):
            video = VIDEO.fullmatch(name)
            if video is None or not part:
                wanted = "a video's name, as 0003-L" if part else 'the line "Training videos:"'
                raise DataError(f'{path}, line {line}: "{name[:SHOWN_CHARACTERS]}" is not {wanted}')
            key = int(video["setup"]), CAMERAS[video["camera"]]
            earlier = next((videos[key] for videos in parts.values() if key in videos), None)
            if earlier is not None:
                raise DataError(f"{path}, line {line}: {name} stands in line {earlier} already; a video is in one part")
            parts[part][key] = line
    for part, header_line in (("training", "Training videos:"), ("validation", "Validation videos:")):
        if not parts.get(part):
            raise DataError(
                f'{path}: has no {part} videos; wanted a line "{header_line}" and below it names, as 0003-L, 0003-M'
            )
    return ProtocolList(frozenset(parts["training"]), frozenset(parts["validation"]))


def _text(path: Path) -> str:
    try:
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise DataError(
            f"{path}: can't be read ({error.strerror}); dataset.protocol_list names the list of videos that comes with "
            "PKU-MMD, cross-subject.txt or cross-view.txt"
        ) from error
    if len(content) > MAX_BYTES:
        raise DataError(f"{path}: has more than {MAX_BYTES} bytes, too large for a list of videos")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: not UTF-8 text ({error.reason} at byte {error.start})") from error
