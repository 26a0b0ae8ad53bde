"""`fsvae-pipe import text`: published text features -> text.h5. Texts are not published, so text.h5 holds none."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from data.published.text import level_and_path, read_text_level
from data.splits import NUM_ACTIONS
from data.stores.files import sha256_of
from data.stores.text_store import TextFeatures, write_text_features
from descriptions.levels import LEVELS
from pipeline.messages.errors import PipelineError
from pipeline.workspace.context import Context
from pipeline.workspace.provenance import IMPORT, Provenance


def import_text(context: Context, arguments: Sequence[str]) -> list[str]:
    """Check and write the levels of `arguments`, each FILE or LEVEL=FILE; return lines for the screen.

    Raises DataError or PipelineError that names the file; then nothing is written.
    """
    paths: dict[str, Path] = {}
    for argument in arguments:
        level, path = level_and_path(argument)
        if level in paths:
            raise PipelineError(f"{paths[level]} and {path} are both level {level}; give one file for each level")
        paths[level] = path
    lacking = [level for level in context.config.text.levels if level not in paths]
    if lacking:
        raise PipelineError(
            f"text.levels asks for {', '.join(lacking)}, but no file was given for it; give a file for each level, or "
            f"set text.levels to {', '.join(paths)} in {context.config_path}"
        )
    name = context.config.dataset.name
    rows = NUM_ACTIONS.get(name)
    features: dict[str, NDArray[np.float32]] = {}
    for level in LEVELS:
        if level in paths:
            features[level] = read_text_level(paths[level], rows)
            rows = len(features[level])  # every level must have as many actions as the first one
    encoder = "imported: " + ", ".join(f"{level} from {path.name}" for level, path in paths.items())
    text = TextFeatures(encoder, np.arange(1, (rows or 0) + 1), features, {})
    inputs = {path.name: sha256_of(path) for path in paths.values()}
    provenance = Provenance(IMPORT, 1, {"dataset.name": name}, inputs)
    write_text_features(context.workspace.text, text, provenance.record())
    widths = ", ".join(f"{level} (from {paths[level].name}, {part.shape[1]}-d)" for level, part in features.items())
    return [f"wrote {context.workspace.text}: {rows} actions at {len(features)} levels: {widths}"]
