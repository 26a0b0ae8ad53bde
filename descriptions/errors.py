"""The error that a description file raises: a message for the user, never a traceback."""


class DescriptionError(Exception):
    """A description file is not what it must be; the message names the file, the line and what is wanted."""
