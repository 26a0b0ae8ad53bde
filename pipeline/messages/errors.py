"""Errors that end a command. The message is one paragraph for the user; the exit code is 1, or 2 for wrong usage."""


class PipelineError(Exception):
    """A command can't go on. The message says what was found, what was wanted, and which command to run next."""


class ConfigError(PipelineError):
    """A key or value in config.toml or --set is wrong."""


class WrongUsage(PipelineError):
    """An option or argument of the command is wrong. The exit code is 2."""


class OverrideError(ConfigError, WrongUsage):
    """A `--set` on the command line is wrong."""


def printable(text: str) -> str:
    """Escape control characters and line ends in `text`, so that the name of a file can't steer the terminal."""
    return "".join(char if char.isprintable() else repr(char)[1:-1] for char in text)
