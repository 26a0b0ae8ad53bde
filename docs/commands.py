"""Print docs/commands.md, the manual of the commands, from the commands themselves.

python docs/commands.py > docs/commands.md
"""

import sys
from collections.abc import Iterator

import click

from pipeline.cli.main import main

WIDTH_COLUMNS = 100


def pages(command: click.Command, path: str) -> Iterator[str]:
    """The help of `command` and of every command in it, each under its own heading."""
    context = click.Context(command, info_name=path, **{**main.context_settings, "terminal_width": WIDTH_COLUMNS})
    yield f"## {path}\n\n```text\n{command.get_help(context).rstrip()}\n```\n"
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            yield from pages(command.commands[name], f"{path} {name}")


def manual() -> str:
    """The whole page."""
    head = (
        "# Commands\n\nMade by `python docs/commands.py > docs/commands.md`; a test fails when it is out of date.\n\n"
    )
    return head + "\n".join(pages(main, "fsvae-pipe"))


if __name__ == "__main__":
    sys.stdout.write(manual())
