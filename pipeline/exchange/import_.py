"""`fsvae-pipe import`: takes published files instead of the outputs of a stage.

The record of an imported file names the stage "import". pipeline/running/staleness.py then needs none of the stages
before it. Heavy libraries are imported inside of functions, because the command line reads `KINDS` from this module.
"""

import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Literal, get_args

from pipeline.messages.errors import PipelineError
from pipeline.workspace.context import Context
from pipeline.workspace.folder import Workspace

Kind = Literal["features", "text", "skeletons"]
KINDS: tuple[Kind, ...] = get_args(Kind)


def import_(context: Context, kind: Kind, arguments: Sequence[str]) -> list[str]:
    """Import `arguments` as `kind`; return lines for the screen. Raises DataError or PipelineError."""
    _require_own(context.workspace, kind)
    if kind == "text":
        from pipeline.exchange.import_text import import_text

        return import_text(context, arguments)
    paths = [Path(argument) for argument in arguments]
    if kind == "features":
        from pipeline.exchange.import_features import import_features

        return import_features(context, paths)
    from pipeline.exchange.import_skeletons import import_skeletons

    return import_skeletons(context, paths)


def _require_own(workspace: Workspace, kind: Kind) -> None:
    """Raise PipelineError when the import would write a file that other workspaces use too."""
    path = {"text": workspace.text, "skeletons": workspace.skeletons}.get(kind)
    if path and workspace.is_shared(path):
        raise PipelineError(
            f"{path} is used by all splits of the data set: import it there, with "
            f"`fsvae-pipe -w {shlex.quote(str(workspace.shared))} import {kind}`"
        )
