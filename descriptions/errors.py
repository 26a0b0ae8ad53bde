"""The error that a bad description file raises. It is shown to the user as a message, never as a traceback."""


class DescriptionError(Exception):
    """A description file is not valid. The message names the file, the line and what is expected."""
