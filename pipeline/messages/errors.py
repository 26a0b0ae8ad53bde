"""The errors that end a command: one paragraph for the user, exit code 1."""


class PipelineError(Exception):
    """A command can't go on. The message says what was found, what was wanted and which command comes next."""


class ConfigError(PipelineError):
    """A key or value in config.toml or --set is not what it must be."""


class WrongUsage(PipelineError):
    """The command was not given what it takes: exit code 2."""


class OverrideError(ConfigError, WrongUsage):
    """A `--set` on the command line is not what it must be."""


def printable(text: str) -> str:
    """`text` with control characters and line ends shown escaped, so that a file's name can't steer the terminal."""
    return "".join(char if char.isprintable() else repr(char)[1:-1] for char in text)
