"""import: files that others have made, in place of what the stages would make.

The records of the files written name the stage "import"; pipeline/status.py then needs none of the stages before them.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal, get_args

from pipeline.context import Context
from pipeline.import_features import import_features
from pipeline.import_text import import_text

Kind = Literal["features", "text"]
KINDS: tuple[Kind, ...] = get_args(Kind)


def import_(context: Context, kind: Kind, arguments: Sequence[str]) -> list[str]:
    """Import `arguments` as `kind`; return what was done, a line each. Raises DataError or PipelineError."""
    if kind == "text":
        return import_text(context, arguments)
    return import_features(context, [Path(argument) for argument in arguments])
