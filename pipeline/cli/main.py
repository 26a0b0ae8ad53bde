"""The command line: thin commands over functions, nothing heavy imported before a command needs it.

fsvae-pipe -w DIR COMMAND

The commands stand in pipeline/cli/stages.py and pipeline/cli/tools.py, what they do in a module of their name.
"""

from pathlib import Path

import click

from pipeline.cli import stages as cli_stages
from pipeline.cli import tools as cli_tools
from pipeline.cli.options import take_workspace, workspace_option
from pipeline.cli.program import Program
from pipeline.stages.table import STAGES


@click.group(cls=Program, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.option(
    "-w",
    "--workspace",
    type=click.Path(file_okay=False, path_type=Path),
    envvar="FSVAE_WORKSPACE",
    default=Path("fsvae-work"),
    show_default=True,
    show_envvar=True,
    help="Folder that holds config.toml and everything made from it; may stand behind the command as well.",
    expose_value=False,
    callback=take_workspace,
)
@click.version_option(package_name="fsvae-pipe", prog_name="fsvae-pipe")
def main() -> None:
    """Zero-shot skeleton-based action recognition: from raw NTU skeleton files to results.

    \b
    Start here:  fsvae-pipe demo
    Your data:   fsvae-pipe -w DIR init SPLIT --raw PATH, then fsvae-pipe -w DIR run
    """


COMMANDS = (
    cli_stages.init,
    *map(cli_stages.stage_command, STAGES),
    cli_stages.run,
    cli_stages.status,
    cli_tools.import_files,
    cli_tools.show,
    cli_tools.predict,
    cli_tools.export,
    cli_tools.report,
    cli_tools.texts,
    cli_tools.sweep,
    cli_tools.demo,
)  # in the order in which a user meets them
for _command in COMMANDS:
    workspace_option(_command)
    main.add_command(_command)
