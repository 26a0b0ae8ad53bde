"""The error that bad data raises: a message for the user, never a traceback."""


class DataError(Exception):
    """A file, name or split is not what it must be; the message names it, says what was found and what is wanted."""


class NewerFormatError(DataError):
    """A file was written by a newer fsvae-pipe; it is left alone, never made again over its head."""
