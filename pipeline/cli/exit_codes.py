"""The group of commands, with one place where errors become messages and exit codes."""

import re
import shlex
import signal
import sys
from typing import Any

import click

from data.errors import DataError
from descriptions.errors import DescriptionError
from models.errors import ModelError
from pipeline.cli.signals import hear_signals, take_interrupt
from pipeline.messages.errors import PipelineError, WrongUsage, printable
from pipeline.messages.hints import told

OUT_OF_MEMORY = re.compile("out of memory|can't allocate memory|not enough memory", re.IGNORECASE)


class Program(click.Group):
    """The group of commands: turns the errors that a user can cause into one paragraph and an exit code."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The commands in the order in which a user meets them, which is the order of pipeline/cli/main.py."""
        return list(self.commands)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the chosen command. Exit codes: 1 failed with a message, 2 wrong usage, 130 or 143 stopped."""
        hear_signals()
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt as stop:
            take_interrupt()
            number = stop.args[0] if stop.args else signal.SIGINT
            command = printable(shlex.join(["fsvae-pipe", *sys.argv[1:]]))
            click.echo(f"\nstopped: every file is whole; `{command}` goes on from there", err=True)
            sys.exit(128 + number)
        except WrongUsage as error:
            raise click.UsageError(told(str(error))) from error
        except (DataError, DescriptionError, ModelError, PipelineError) as error:
            raise click.ClickException(told(str(error))) from error
        except BrokenPipeError:
            raise  # click ends quietly when the reader of a pipe has gone
        except (MemoryError, RuntimeError) as error:
            if not isinstance(error, MemoryError) and not OUT_OF_MEMORY.search(str(error)):
                raise
            reason = printable(" ".join(str(error).split())[:200])
            raise click.ClickException(
                f"memory ran out ({reason}): lower what is high of backbone.batch_size, backbone.frames, "
                "train.batch_size, model.latent, evaluate.classifier.samples, or the workers"
            ) from error
        except OSError as error:
            where = f"{error.filename}: " if error.filename else ""
            raise click.ClickException(printable(f"{where}{error.strerror or error}")) from error
