"""What the parts of the page do. Each returns new values of parts, in the order of the outputs of its event."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import gradio as gr

from data.errors import DataError
from data.recordings.windows import Windows
from descriptions.errors import DescriptionError
from descriptions.levels import LEVELS
from models.errors import ModelError
from pipeline.app.action_list import Rows, actions_of, csv_of, rows_of
from pipeline.app.engine import Engine
from pipeline.app.loaded_clip import LoadedClip, told
from pipeline.app.view import problem, saved_list, shown
from pipeline.messages.errors import PipelineError

SENTENCES = (DataError, DescriptionError, ModelError, PipelineError, OSError)  # errors that a user can mend
MOST_CHOICES = 1000  # clips of an action in a list

Parts = tuple[Any, ...]


class Handlers:
    """They keep nothing: the clip and the list of a browser window come with each call."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine

    def load_file(self, path: str | None, layout: str, window_s: float, clip: LoadedClip | None) -> Parts:
        """Read an uploaded recording: the clip that is shown from now on, and what is wrong."""
        if path is None:
            return clip, ""
        try:
            return self.engine.load_file(Path(path), layout, windows_of(window_s)), ""
        except SENTENCES as error:
            return None, told(error, Path(path))

    def load_stored(self, name: str | None, window_s: float, clip: LoadedClip | None) -> Parts:
        """Read a clip of the workspace: the clip that is shown from now on, and what is wrong."""
        if not name:
            return clip, ""
        try:
            return self.engine.load_stored(name, windows_of(window_s)), ""
        except SENTENCES as error:
            return None, str(error)

    def clips_of(self, action: str) -> Any:
        """Return the choice of clips of an action."""
        names = self.engine.stored[action][:MOST_CHOICES]
        return gr.Dropdown(choices=names, value=names[0])

    def reply(self, clip: LoadedClip | None, fault: str, rows: Sequence[Sequence[str]]) -> Parts:
        """What is wrong, the link that saves the list, and the answer; that of before stays where the list is faulty.

        fault: what was wrong with the recording.
        """
        try:
            saved = saved_list(csv_of(actions_of(rows)))
            if clip is None:
                return problem(fault), saved, *[""] * 4
            page = shown(clip, self.engine.reply(clip, rows), self.engine.run)
        except SENTENCES as error:
            later = "" if clip is None else " The answer below is that to the list before."
            return problem(f"{error}{later}"), saved_list(""), *[gr.skip()] * 4
        return "", saved, page.answer, page.motion, page.limbs, page.pairs

    def open_list(self, path: str) -> Parts:
        """Read a saved list: its rows, and what is wrong."""
        try:
            return rows_of(Path(path)), ""
        except DescriptionError as error:
            return gr.skip(), problem(told(error, Path(path)))

    def with_a_row(self, rows: Rows) -> Rows:
        """Return the list with an empty row."""
        return [*rows, [""] * len(LEVELS)]


def windows_of(window_s: float) -> Windows:
    """Return windows of so many seconds that begin each quarter of it, as those of `predict --window`."""
    return Windows(window_s, window_s / 4)
