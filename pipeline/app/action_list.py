"""The list of actions that a user edits: rows of label, local and global. `predict --actions` takes it as a CSV."""

import csv
import io
from collections.abc import Sequence
from pathlib import Path

from data.splits import action_label
from data.stores.text_store import read_text_features
from descriptions.errors import DescriptionError
from descriptions.levels import LEVELS
from descriptions.loader import COLUMNS, UNDECODED, read_descriptions
from pipeline.predict.free_text import GivenAction
from pipeline.predict.trained_run import TrainedRun

MOST_ROWS = 200  # more are no list that a person edits in a page

Rows = list[list[str]]  # a text for each of LEVELS


def unseen_rows(run: TrainedRun) -> Rows:
    """Return the run's unseen actions. The label stands for a text that text.h5 does not hold."""
    stored = read_text_features(run.context.workspace.text)
    row_of = {int(action): row for row, action in enumerate(stored.action)}
    return [
        [str(stored.texts[level][row_of[action]]) if level in stored.texts else run.labels[action] for level in LEVELS]
        for action in run.split.unseen[:MOST_ROWS]
    ]


def actions_of(rows: Sequence[Sequence[str]]) -> list[GivenAction]:
    """Return the actions in `rows`, called A001, A002 and so on. Empty rows are passed over.

    Raises DescriptionError, which names the row and the column, when a text is missing; and when there are fewer than
    two actions, or more than MOST_ROWS.
    """
    actions: list[GivenAction] = []
    for number, row in enumerate(rows, start=1):
        if len(row) != len(LEVELS):
            raise DescriptionError(
                f"The table has {len(row)} columns, where {', '.join(LEVELS)} are wanted. Open a CSV, or begin with "
                "the run's unseen actions."
            )
        texts: dict[str, str] = {level: str(text or "").strip() for level, text in zip(LEVELS, row, strict=True)}
        if not any(texts.values()):
            continue
        if lacking := [level for level, text in texts.items() if not text]:
            label = f" ({texts['label']})" if texts["label"] else ""
            raise DescriptionError(
                f"Row {number}{label} has no {' and no '.join(lacking)}. An action needs a label, a sentence of how "
                "the joints move (local) and one of what the whole person does (global)."
            )
        if any("\0" in text or UNDECODED.search(text) for text in texts.values()):
            raise DescriptionError(f"Row {number} has a character that is no text. Write the row again.")
        actions.append(GivenAction(action_label(len(actions) + 1), texts))
    if len(actions) < 2:
        raise DescriptionError(
            f"The list has {len(actions) or 'no'} action{'s' if not actions else ''}. Write at least two, because the "
            "answer is a choice between them."
        )
    if len(actions) > MOST_ROWS:
        raise DescriptionError(f"The list has {len(actions)} actions. This page takes at most {MOST_ROWS}.")
    return actions


def csv_of(actions: Sequence[GivenAction]) -> str:
    """Return the CSV that `predict --actions` and `dataset.descriptions` take."""
    output = io.StringIO()
    writer = csv.writer(output, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows([action.name, *(action.texts[level] for level in LEVELS)] for action in actions)
    return output.getvalue()


def rows_of(path: Path) -> Rows:
    """Read such a CSV. Raises DescriptionError, which lists every fault with its line."""
    rows = [[texts[level] for level in LEVELS] for texts in read_descriptions(path).values()]
    if len(rows) > MOST_ROWS:
        raise DescriptionError(f"{path}: has {len(rows)} actions. This page takes at most {MOST_ROWS}.")
    return rows
