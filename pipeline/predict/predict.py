"""`fsvae-pipe predict`: the actions in new clips, or when each is shown in long recordings."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TextIO, TypeVar

from rich.console import Console

from data.recordings.windows import Windows
from descriptions.errors import DescriptionError
from pipeline.messages.errors import PipelineError, WrongUsage, printable
from pipeline.phases.raw_recordings import reading_of
from pipeline.predict.action_bank import NONE_OF_THESE
from pipeline.predict.answer_output import WRITERS, Form
from pipeline.predict.answers import Answer
from pipeline.predict.clip_stream import Unread
from pipeline.predict.free_text import GivenAction, parse_given, read_given, used_levels
from pipeline.predict.modes import Mode, Seed
from pipeline.predict.recognizer import Recognizer
from pipeline.predict.timeline import Timeline, timelines
from pipeline.predict.timeline_output import MOST_PLAYERS, write_timelines
from pipeline.predict.trained_run import TrainedRun, open_run, print_warnings
from pipeline.workspace.context import Context

Counted = TypeVar("Counted", bound=Answer | Timeline | Unread)


def predict(
    context: Context,
    clips: Sequence[Path],
    *,
    seed: Seed | None = None,
    mode: Mode = "gzsl",
    actions: Sequence[str] = (),
    actions_file: Path | None = None,
    form: Form = "table",
    top: int = 3,
    reject: float | None = None,
    windows: Windows | None = None,
    page: Path | None = None,
    recordings: Context | None = None,
    output: TextIO,
) -> None:
    """Name the action in each of `clips` and write the answers to `output`; with `windows`, when each is shown.

    The clips are read as those of the run were, or as `recordings` says, which has the options of this call.
    `actions` are "label | local | global", `actions_file` is a CSV of such. `reject` is the share of right answers
    that may be lost so that clips of none of the actions are told. `page` is written beside `output`, with
    `windows` only. Raises PipelineError when no clip could be read, and as `Recognizer` does.
    """
    run = open_run(context.run.root, seed, context)
    given = given_actions(run, actions, actions_file, mode)
    recognizer = Recognizer(run)
    bank = recognizer.bank(mode, given, reject)
    seen = f"{bank.seen} seen and " if bank.seen else ""
    context.console.print(
        f"predict: {run.model_name}; mode {mode}: {seen}{len(bank.actions) - bank.seen} actions known by text",
        highlight=False,
        markup=False,
    )
    print_warnings(run)
    tally = _Tally()
    treatment = recognizer.treatment
    if recordings is not None:
        treatment = replace(treatment, reading=replace(reading_of(recordings), to_fps=treatment.reading.to_fps))
    if windows is None:
        WRITERS[form](tally.count(recognizer.stream(clips, bank, treatment)), top, output, run.warnings)
    else:
        found = timelines(recognizer, clips, bank, treatment, windows, MOST_PLAYERS if page else 0)
        write_timelines(tally.count(found), form, output, page, run)
    tally.say(context.console, reject)
    if tally.unread == tally.total:
        raise PipelineError(
            f"none of {tally.total} clips could be read, the first because: {tally.first}; clips are files of one "
            "layout (--layout; without it that of the run's own clips), or folders or zip archives of them"
        )


def given_actions(run: TrainedRun, actions: Sequence[str], file: Path | None, mode: Mode) -> list[GivenAction]:
    """The actions given in words.

    Raises WrongUsage when one of `actions` is not as it must be, or when the mode "given" has none; DescriptionError
    when the file is not as it must be.
    """
    levels = used_levels(run.config.text)
    try:
        given = [parse_given(text, number, levels) for number, text in enumerate(actions, start=1)]
    except DescriptionError as error:  # of an option, not of a file
        raise WrongUsage(str(error)) from error
    if file is not None:
        given += read_given(file, () if mode == "given" else run.split.actions)
    if mode == "given" and not given:
        raise WrongUsage('mode "given" chooses between actions in words; give them with --action or --actions')
    return given


class _Tally:
    """Counts what goes by."""

    def __init__(self) -> None:
        self.total = self.unread = self.warned = self.rejected = 0
        self.rejected_s = self.duration_s = 0.0  # of recordings
        self.first = self.first_warning = ""
        self.notes: dict[str, tuple[int, str]] = {}  # what was done to read a clip -> clips, and the first of them

    def say(self, console: Console, reject: float | None) -> None:
        """Print what the counts tell, beside the answers."""
        if self.unread:
            console.print(f"{self.unread} of {self.total} clips could not be read", style="yellow")
        for what, (number, first) in self.notes.items():
            console.print(
                printable(f"{number} of {self.total - self.unread} clips {what} (the first: {first})"),
                highlight=False,
                markup=False,
            )
        if reject is not None:
            told = f"{self.rejected} of {self.total - self.unread} clips show none of these actions"
            if self.duration_s:
                told = f"{self.rejected_s:.1f} of {self.duration_s:.1f} s show none of these actions"
            console.print(f"{told} (--reject {reject:g})", highlight=False, markup=False)
        if self.warned:
            summary = (
                f"{self.warned} of {self.total - self.unread} answers may be wrong, the first: {self.first_warning}"
            )
            console.print(f"warning: {printable(summary)}", style="yellow", highlight=False, markup=False)

    def count(self, outcomes: Iterable[Counted]) -> Iterator[Counted]:
        for item in outcomes:
            self.total += 1
            if isinstance(item, Unread):
                self.first = self.first or f"{item.clip}: {item.reason}"
                self.unread += 1
            elif item.warnings:
                self.first_warning = self.first_warning or f"{item.clip}: {item.warnings[0]}"
                self.warned += 1
            if isinstance(item, Answer):
                self.rejected += bool(item.none_of_these)
            if isinstance(item, Timeline):
                self.duration_s += item.duration_s
                none = (part for part in item.segments if part.action == NONE_OF_THESE)
                self.rejected_s += sum(part.end_s - part.start_s for part in none)
            for note in getattr(item, "notes", ()):
                number, first = self.notes.get(note.what, (0, f"{item.clip}, {note.detail}"))
                self.notes[note.what] = number + 1, first
            yield item
