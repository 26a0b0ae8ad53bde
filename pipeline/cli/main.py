"""The command line: fsvae-pipe -w DIR COMMAND.

The commands and their own options are in pipeline/cli/{stage,recording,tool,study}_commands.py, options that
several share in pipeline/cli/options.py. A command only calls a function of the module of its name. Heavy libraries are
imported when a command needs them.
"""

from pathlib import Path

import click

from pipeline.cli import recording_commands, stage_commands, study_commands, tool_commands
from pipeline.cli.exit_codes import CommandGroup
from pipeline.cli.options import take_workspace, workspace_option
from pipeline.stages.table import STAGES


@click.group(cls=CommandGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.option(
    "-w",
    "--workspace",
    type=click.Path(file_okay=False, path_type=Path),
    envvar="FSVAE_WORKSPACE",
    default=Path("fsvae-work"),
    show_default=True,
    show_envvar=True,
    help="Folder of config.toml and of everything made from it. May also follow the command.",
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
    stage_commands.init,
    *map(stage_commands.stage_command, STAGES),
    stage_commands.run,
    stage_commands.status,
    tool_commands.import_files,
    recording_commands.show,
    recording_commands.manifest,
    recording_commands.convert,
    tool_commands.predict,
    tool_commands.app,
    tool_commands.export,
    tool_commands.report,
    tool_commands.texts,
    tool_commands.sweep,
    study_commands.reproduce,
    tool_commands.demo,
)  # in the order of --help, which is the order in which a user meets them
for _command in COMMANDS:
    workspace_option(_command)
    main.add_command(_command)
