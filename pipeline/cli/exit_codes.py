"""The one place where errors become messages and exit codes: the group that all commands belong to."""

import os
import re
import shlex
import signal
import sys
from typing import Any

import click

from data.errors import DataError
from descriptions.errors import DescriptionError
from models.errors import ModelError
from pipeline.cli.signals import forget_interrupt, install_handlers
from pipeline.cli.waiting_threads import wait_shortly
from pipeline.messages.errors import PipelineError, WrongUsage, printable
from pipeline.messages.hints import complete_commands
from pipeline.messages.streams import escape_unencodable

OUT_OF_MEMORY = re.compile("out of memory|can't allocate memory|not enough memory", re.IGNORECASE)


class CommandGroup(click.Group):
    """The group of all commands. It turns errors that a user can cause into one paragraph and an exit code."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The names of the commands in the order of pipeline/cli/main.py, which is that of --help."""
        return list(self.commands)

    def main(self, *args: Any, **options: Any) -> Any:
        """Run the program, help and messages of usage included. Its output can hold any character."""
        escape_unencodable()
        wait_shortly(os.environ)
        return super().main(*args, **options)

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command. Exit codes: 1 failed with a message, 2 wrong usage, 130 or 143 stopped by a signal."""
        install_handlers()
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt as stop:
            forget_interrupt()
            number = stop.args[0] if stop.args else signal.SIGINT
            command = printable(shlex.join(["fsvae-pipe", *sys.argv[1:]]))
            click.echo(f"\nstopped: every file is whole; `{command}` goes on from there", err=True)
            sys.exit(128 + number)
        except WrongUsage as error:
            raise click.UsageError(complete_commands(str(error))) from error
        except (DataError, DescriptionError, ModelError, PipelineError) as error:
            raise click.ClickException(complete_commands(str(error))) from error
        except UnicodeEncodeError as error:
            raise click.ClickException(
                f'"{printable(error.object[:200])}" can\'t be written or opened in the encoding {error.encoding}: the '
                "locale is not UTF-8 (set PYTHONUTF8=1), or the name holds bytes that are not UTF-8 (rename it)"
            ) from error
        except BrokenPipeError:
            raise  # click ends quietly when the reader of a pipe has gone
        except (MemoryError, RuntimeError) as error:
            if not isinstance(error, MemoryError) and not OUT_OF_MEMORY.search(str(error)):
                raise
            reason = printable(" ".join(str(error).split())[:200])
            raise click.ClickException(
                f"memory ran out ({reason}): lower backbone.batch_size, backbone.frames, train.batch_size, "
                "model.latent, evaluate.classifier.samples or the number of workers, whichever is high"
            ) from error
        except OSError as error:
            file = f"{error.filename}: " if error.filename else ""
            raise click.ClickException(printable(f"{file}{error.strerror or error}")) from error
