"""Errors that bad data raises. Each one is shown to the user as a message, never as a traceback."""


class DataError(Exception):
    """A file, a clip name or a split is not valid. The message names it and says what was found and expected."""


class NewerFormatError(DataError):
    """A newer fsvae-pipe wrote the file. No stage replaces such a file."""


class RawFileError(DataError):
    """A raw file is refused. The error holds the file, the line (None when the fault has no line) and the reason."""

    def __init__(self, file: str, reason: str, line: int | None = None) -> None:
        super().__init__(f"{file}{'' if line is None else f', line {line}'}: {reason}")
        self.file = file
        self.line = line
        self.reason = reason
