"""Compares aligners, settings and gates on the same clips, over many random sets of unseen actions.

    python -m tests.benchmarks.bench_alignment FEATURES.npz --texts descriptions.csv --out FOLDER
        [--sets 60] [--unseen 5] [--val-unseen 4] [--workers 2] [--row "NAME key=value ..."] [--known ntu60]

FEATURES.npz holds `features` (n, D), `action` (n,), and `train` (n,) bool or `subject` (n,), of which odd ones train.
Every set draws its unseen and pseudo-unseen actions from its number. The classifier of the seen actions is fitted to
the features in each phase. So only the aligner and the gate differ between rows; but the backbone that made the
features may know the unseen actions, so that no number is a zero-shot result.

Rows: the presets `default` and `released`, the ridge in both spaces, and those given with --row. A --row of a name
alone asks for that row and the other given ones only. Each result of a row and a set is kept in FOLDER under its
settings, clips and texts, so that an interrupted run continues and a new row costs only itself. Take another FOLDER
when the code has changed. A row's ZSL is that of its own selection rule; `oracle` is the best cycle by the unseen test
clips. Printed are means over the sets with their standard errors, and the differences from `released` and from `ridge`,
paired by set.

`--known` names the actions that the backbone was trained on, as the setting backbone.known does: a data set, or a CSV
of texts. FEATURES.npz then also holds `logits` (n, K), the backbone's own, from which the weights of its classes
follow. Each row, but for those whose features stay as given, is followed by itself with these actions, and printed is
what they give, paired by set.

A row with `train.seeds=[5,6,7]` has the mean of its seeds in these columns, and the ensemble of them in three more.
Printed is also how much the ensemble gives above the mean, paired by set.
"""

import argparse
import hashlib
import json
from collections.abc import Iterator
from pathlib import Path

import joblib
import numpy as np
import torch
from numpy.typing import NDArray

from data.errors import DataError
from descriptions.errors import DescriptionError
from descriptions.loader import read_descriptions
from models.errors import ModelError
from models.known_actions import KnownActions
from pipeline.messages.errors import PipelineError
from tests.benchmarks.alignment.clips import Clips, Texts, encoded, known_of, read_clips, require_texts
from tests.benchmarks.alignment.scores import COLUMNS, TOGETHER, config_of, measure

ROWS = {
    "default": [],
    "released": ["model.preset=released"],
    "ridge": ["model.aligner=ridge"],
    "ridge-standardised": ["model.aligner=ridge", "model.features=standardised"],
}
WITH_KNOWN = " + known"  # behind the name of a row


def main() -> None:
    """Read the command line, fill FOLDER, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("features", type=Path)
    parser.add_argument("--texts", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    for name, value in (("sets", 60), ("unseen", 5), ("val-unseen", 4), ("workers", 2)):
        parser.add_argument(f"--{name}", type=int, default=value)
    parser.add_argument("--encoder", default="minilm")
    parser.add_argument("--known", default="", help="ntu60, ntu120, pku51 or a CSV of texts")
    parser.add_argument("--row", action="append", default=[], help='"NAME key=value ...", or NAME alone')
    arguments = parser.parse_args()
    try:
        rows = chosen_rows(arguments.row)
        clips = read_clips(arguments.features)
        texts = encoded(read_descriptions(arguments.texts), arguments.encoder)
        require_texts(clips[1], texts, arguments.unseen + arguments.val_unseen)
        known = known_of(arguments.features, arguments.known, arguments.encoder) if arguments.known else None
    except (DataError, DescriptionError, ModelError, OSError, PipelineError) as error:
        parser.error(str(error))
    arguments.out.mkdir(parents=True, exist_ok=True)
    kinds: dict[str, tuple[list[str], KnownActions | None]] = {}
    for name, overrides in rows.items():
        kinds[name] = overrides, None
        if known and config_of(overrides).model.features != "given":
            kinds[name + WITH_KNOWN] = overrides, known
    tasks = [
        (clips, texts, overrides, number, arguments.unseen, arguments.val_unseen, arguments.out, learnt)
        for number in range(arguments.sets)
        for overrides, learnt in kinds.values()
    ]
    done = joblib.Parallel(n_jobs=arguments.workers)(joblib.delayed(_kept)(*task) for task in tasks)
    values = np.array(done).reshape(arguments.sets, len(kinds), len(COLUMNS) + len(TOGETHER))
    for line in table(list(kinds), values):
        print(line)


def chosen_rows(given: list[str]) -> dict[str, list[str]]:
    """Name -> overrides of each row. Raises PipelineError when a name or a setting does not exist."""
    chosen = {}
    for name, *overrides in (row.split() or [""] for row in given):
        if not overrides and name not in ROWS:
            raise PipelineError(f"--row {name!r}: no such row; give it settings, or name one of {', '.join(ROWS)}")
        chosen[name] = overrides or ROWS[name]
        config_of(chosen[name])
    return chosen if any(row in ROWS for row in given) else {**ROWS, **chosen}


def _kept(
    clips: Clips,
    texts: dict[int, Texts],
    overrides: list[str],
    number: int,
    unseen: int,
    val_unseen: int,
    folder: Path,
    known: KnownActions | None,
) -> list[float]:
    """One row and set, from the folder of results when it is there."""
    numbers = repr((config_of(overrides).flat(), number, unseen, val_unseen, sorted(texts))).encode()
    of_known = (known.weight, known.texts) if known else ()
    arrays = [part.tobytes() for part in (*clips, *(texts[action] for action in sorted(texts)), *of_known)]
    path = folder / f"{hashlib.sha256(b''.join((numbers, *arrays))).hexdigest()[:16]}.json"
    if not path.is_file():
        torch.set_num_threads(1)
        path.write_text(json.dumps(measure(clips, texts, overrides, number, unseen, val_unseen, known)), "utf-8")
    values: list[float] = json.loads(path.read_text("utf-8"))
    return values


def table(names: list[str], values: NDArray[np.float64]) -> Iterator[str]:
    """Lines for `values` (sets, rows, columns): means, then paired differences, each with its standard error."""
    values, together = values[:, :, : len(COLUMNS)], values[:, :, len(COLUMNS) :]
    yield f"{len(values)} sets; mean ± standard error"
    yield "| row | " + " | ".join(COLUMNS) + " |"
    yield "|---" * (len(COLUMNS) + 1) + "|"
    for place, name in enumerate(names):
        yield f"| {name} | {' | '.join(map(mean_and_error, values[:, place].T))} |"
    oracle, zsl, h = (COLUMNS.index(column) for column in ("oracle", "ZSL", "H"))
    for reference, column, words in (("released", oracle, "oracle ZSL of released"), ("ridge", zsl, "ZSL of ridge")):
        if reference in names:
            other = values[:, names.index(reference)]
            yield f"paired differences from the {words}, and from its H:"
            for place, name in enumerate(names):
                differences = values[:, place, zsl] - other[:, column], values[:, place, h] - other[:, h]
                yield f"  {name}: ZSL {mean_and_error(differences[0])}, H {mean_and_error(differences[1])}"
    for place, name in enumerate(names):
        if name.endswith(WITH_KNOWN):
            alone = values[:, names.index(name.removesuffix(WITH_KNOWN))]
            gained = [f"{COLUMNS[i]} {mean_and_error(values[:, place, i] - alone[:, i])}" for i in range(len(COLUMNS))]
            yield f"paired differences of {name} from the row without: {', '.join(gained)}"
    gains = together - values[:, :, [COLUMNS.index(column) for column in TOGETHER]]  # (sets, rows, 3); 0 for one seed
    for place, name in enumerate(names):
        if gains[:, place].any():
            above = ", ".join(f"{column} {mean_and_error(gains[:, place, i])}" for i, column in enumerate(TOGETHER))
            yield f"paired differences of the ensemble of {name} from the mean of its seeds: {above}"


def mean_and_error(values: NDArray[np.float64]) -> str:
    error = values.std(ddof=1) / len(values) ** 0.5 if len(values) > 1 else 0.0
    return f"{values.mean():.1f} ± {error:.1f}"


if __name__ == "__main__":
    main()
