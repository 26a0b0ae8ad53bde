"""`fsvae-pipe import`: takes published files instead of the outputs of a stage.

The record of an imported file names the stage "import". pipeline/running/staleness.py then needs none of the stages
before it. Heavy libraries are imported inside of functions, because the command line reads `KINDS` from this module.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal, get_args

from pipeline.workspace.context import Context

Kind = Literal["features", "text", "skeletons"]
KINDS: tuple[Kind, ...] = get_args(Kind)


def import_(context: Context, kind: Kind, arguments: Sequence[str]) -> list[str]:
    """Import `arguments` as `kind`; return lines for the screen. Raises DataError or PipelineError."""
    if kind == "text":
        from pipeline.exchange.import_text import import_text

        return import_text(context, arguments)
    paths = [Path(argument) for argument in arguments]
    if kind == "features":
        from pipeline.exchange.import_features import import_features

        return import_features(context, paths)
    from pipeline.exchange.import_skeletons import import_skeletons

    return import_skeletons(context, paths)
