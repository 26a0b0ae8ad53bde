"""The error that bad data raises: a message for the user, never a traceback."""


class DataError(Exception):
    """A file, name or split is not what it must be; the message names it, says what was found and what is wanted."""


class NewerFormatError(DataError):
    """A file was written by a newer fsvae-pipe; it is left alone, never made again over its head."""


class RawFileError(DataError):
    """A raw file is refused: which file, at which line (None: not at any one), for which reason."""

    def __init__(self, file: str, reason: str, line: int | None = None) -> None:
        super().__init__(f"{file}{'' if line is None else f', line {line}'}: {reason}")
        self.file = file
        self.line = line
        self.reason = reason
