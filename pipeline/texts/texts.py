"""`fsvae-pipe texts`: checks the descriptions, and shows which actions are easy to confuse by their texts.

Similarities are computed with the encoder of text.encoder. `--init` writes a CSV to fill in instead.
"""

import csv
import io
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click
import numpy as np
from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from data.clips.manifest import labels_in
from data.recordings.find_parts import find_parts
from data.splits import CUSTOM, action_label, parse_action
from data.stores import h5
from data.stores.files import replacing
from descriptions.errors import DescriptionError
from descriptions.levels import LEVELS
from descriptions.loader import COLUMNS, Problem, Texts, builtin_descriptions, inspect_descriptions, listed, wanted
from models.errors import ModelError
from models.text.text_encoder import TextEncoder
from pipeline.messages.errors import PipelineError, printable
from pipeline.messages.hints import complete_commands
from pipeline.phases.features_and_texts import joined_levels
from pipeline.phases.raw_recordings import raw_clips_of
from pipeline.phases.readable_texts import DIFFERENT_TEXTS, not_told_apart, other_language, too_long, unknown_words
from pipeline.phases.texts_in_use import BUILTIN_TEXTS, texts_in_use
from pipeline.stages.embed_text import encode_levels, load_encoder_of
from pipeline.texts.similarity import Similarity, similarities
from pipeline.workspace.context import Context

NO_LINE = 0  # the line of a problem that concerns no line of the file


def texts(context: Context, *, init: bool = False, as_json: bool = False, neighbours: int = 3, pairs: int = 15) -> None:
    """Check the texts in use, then print the nearest `neighbours` of each action and the most similar `pairs`.

    With `init`, only write a CSV to fill in, with a row for each action of the workspace.

    Raises DescriptionError, which lists every problem with its line; with `as_json` the problems are printed too.
    Raises PipelineError when there is nothing to check or to write, ModelError when the encoder can't be loaded,
    UsageError when both `init` and `as_json` are given.
    """
    if init and as_json:
        raise click.UsageError(
            "--init writes a CSV and checks nothing, so --json has nothing to print; give one of them"
        )
    if init:
        path = write_starter(context)
        named = context.config.dataset.descriptions
        advice = "" if named else f" name it as dataset.descriptions in {context.config_path},"
        click.echo(f"wrote {path}: fill in its texts,{advice}")
        click.echo(complete_commands("then: `fsvae-pipe texts`"))
        return
    problems, descriptions, encoder = _check(context)
    advice = wanted()
    if encoder is not None and unknown_words(encoder, descriptions, context.config.text):
        advice = other_language()
    _refuse(context, problems, advice, as_json)
    if encoder is None or len(descriptions) < 2:
        raise DescriptionError(f"{_source(context)}: only one action is described; at least 2 are needed to compare")
    features, _ = encode_levels(context, encoder, descriptions)
    fault = not_told_apart(joined_levels(list(features.values())), [action_label(action) for action in descriptions])
    _refuse(context, [Problem(NO_LINE, fault)] if fault else [], DIFFERENT_TEXTS, as_json)
    by_level = similarities(list(descriptions), features)
    warnings = same_texts(descriptions)
    if as_json:
        click.echo(json.dumps(_report(context, by_level, warnings, neighbours, pairs), indent=2))
    else:
        _show(context, descriptions, by_level, warnings, neighbours, pairs)


def same_texts(descriptions: Texts) -> list[str]:
    """Return a warning for each text that several actions have, at one level or at all."""
    said = []
    for levels in (LEVELS, *((level,) for level in LEVELS)):
        groups: dict[tuple[str, ...], list[int]] = {}
        for action, row in descriptions.items():
            groups.setdefault(tuple(row[level] for level in levels), []).append(action)
        for texts, actions in groups.items():
            whole = len({tuple(descriptions[action].items()) for action in actions}) == 1
            if len(actions) == 1 or (whole and levels != LEVELS):  # said of all levels already
                continue
            named = ", ".join(map(action_label, actions))
            if levels == LEVELS:
                said.append(f"{named} have the same texts, so that nothing tells them apart")
            else:
                said.append(f'{named} have the same {levels[0]}, "{texts[0]}"')
    return said


def write_starter(context: Context) -> Path:
    """Write a CSV with a row for each action of the workspace, and return its path.

    The built-in texts are filled in for data sets that have them. Actions that are words in the manifest are numbered.
    The file is the one that dataset.descriptions names, else descriptions.csv in the workspace. Raises PipelineError
    when the file exists, or when no action is known.
    """
    named = context.config.dataset.descriptions
    path = context.user_path(named) if named else context.workspace.descriptions
    if path.exists():
        raise PipelineError(f"{path} already exists; move it away, or run `fsvae-pipe texts` to check it")
    manifest = context.config.dataset.manifest
    builtin = BUILTIN_TEXTS.get(context.config.dataset.name)
    words = labels_in(context.user_path(manifest)) if manifest and not builtin else {}
    actions = sorted({*actions_of_workspace(context, words or None), *words.values()})
    if not actions:
        raise PipelineError(
            "no action is known yet: the workspace has neither skeletons.h5 nor features, and dataset.raw in "
            f"{context.config_path} names no raw clips; name them there, then run `fsvae-pipe texts --init`"
        )
    words_as_labels = {number: {"label": word} for word, number in words.items()}
    known = builtin_descriptions(builtin) if builtin else words_as_labels
    table = io.StringIO()
    rows = csv.DictWriter(table, COLUMNS, lineterminator="\n")
    rows.writeheader()
    for action in actions:
        rows.writerow({"action": action_label(action), **known.get(action, {})})
    with replacing(path) as partial:
        partial.write_text(table.getvalue(), "utf-8")
    return path


def actions_of_workspace(context: Context, words: Mapping[str, int] | None = None) -> set[int]:
    """The actions of the workspace's clips, and those that a custom split names.

    words: the actions of words in the manifest; None = those of the descriptions.
    Clips are looked up in skeletons.h5; without it, in the features; without them, by the names of the raw clips.
    Raises DataError when the file is broken.
    """
    dataset, workspace = context.config.dataset, context.workspace
    named = {parse_action(label) for label in (*dataset.unseen, *dataset.val_unseen)} if dataset.split == CUSTOM else ()
    for path, column in ((workspace.skeletons, "clip/action"), (workspace.features("test"), "action")):
        if path.is_file():
            with h5.reading(path) as file:
                return {*np.unique(h5.read_array(file, column)).tolist(), *named}
    if not dataset.raw and not dataset.manifest:
        return set(named)
    labels = None if words is None else {word.lower(): action for word, action in words.items()}
    clips, _ = find_parts(raw_clips_of(context, labels))
    return {*(name.action for name, _ in clips), *named}


def _check(context: Context) -> tuple[list[Problem], Texts, TextEncoder | None]:
    """Return every problem of the texts in use, sorted by line; the rows that can be read; and the encoder.

    When the encoder can't be loaded, it is None if there are problems. If there are none, this raises ModelError.
    """
    lines: Mapping[int, int] = {}
    problems: list[Problem] = []
    if context.config.dataset.descriptions:
        file = inspect_descriptions(context.user_path(context.config.dataset.descriptions))
        descriptions, lines, problems = file.texts, file.lines, list(file.problems)
    else:
        descriptions = {action: dict(row) for action, row in texts_in_use(context).items()}
    unreadable = problems and not lines  # without a valid header its actions are not known
    without_row = set() if unreadable else actions_of_workspace(context) - descriptions.keys() - lines.keys()
    problems += [Problem(NO_LINE, f"{action_label(action)} has no row") for action in sorted(without_row)]
    encoder: TextEncoder | None = None
    try:
        encoder = load_encoder_of(context)
        faults = [
            *too_long(encoder, descriptions, context.config.text).items(),
            *unknown_words(encoder, descriptions, context.config.text).items(),
        ]
    except ModelError:
        if not problems:
            raise
        faults = []
    problems += [Problem(lines.get(action, NO_LINE), f"{action_label(action)}: {fault}") for action, fault in faults]
    return sorted(problems, key=lambda problem: (problem.line == NO_LINE, problem.line)), descriptions, encoder


def _refuse(context: Context, problems: list[Problem], advice: str, as_json: bool) -> None:
    """Raise DescriptionError with `problems`, if there are any, and print them when `as_json`."""
    if problems and as_json:
        click.echo(json.dumps({"problems": [_plain(problem) for problem in problems]}, indent=2))
    if problems:
        problem_list = listed([problem.message if problem.line == NO_LINE else problem for problem in problems])
        raise DescriptionError(f"{_source(context)}: {problem_list}; {advice}, then run `fsvae-pipe texts` again")


def _source(context: Context) -> str:
    named = context.config.dataset.descriptions
    return str(context.user_path(named)) if named else "the built-in texts"


def _plain(problem: Problem) -> dict[str, Any]:
    return {"line": problem.line or None, "message": problem.message}


def _report(
    context: Context, by_level: Mapping[str, Similarity], warnings: list[str], neighbours: int, pairs: int
) -> dict[str, Any]:
    """The JSON object that `--json` prints."""
    return {
        "descriptions": _source(context),
        "encoder": context.config.text.encoder,
        "problems": [],
        "warnings": warnings,
        "levels": {level: _level_report(similarity, neighbours, pairs) for level, similarity in by_level.items()},
    }


def _level_report(similarity: Similarity, neighbours: int, pairs: int) -> dict[str, Any]:
    return {
        "mean": round(similarity.mean, 4),
        "percentile_95": round(similarity.percentile_95, 4),
        "pairs": [
            {"actions": [action_label(first), action_label(second)], "cosine": round(cosine, 4)}
            for first, second, cosine in similarity.closest_pairs(pairs)
        ],
        "neighbours": {
            action_label(action): [
                {"action": action_label(other), "cosine": round(cosine, 4)}
                for other, cosine in similarity.neighbours(action, neighbours)
            ]
            for action in similarity.actions
        },
    }


def _show(
    context: Context,
    descriptions: Texts,
    by_level: Mapping[str, Similarity],
    warnings: list[str],
    neighbours: int,
    pairs: int,
) -> None:
    """Print every action's neighbours, the mean, 95th percentile and closest pairs of each level, and `warnings`."""
    console = Console(soft_wrap=True, highlight=False)
    console.print(_neighbour_table(descriptions, by_level, neighbours))
    for level, similarity in by_level.items():
        console.print(
            f"{level}: cosine between different actions, mean {similarity.mean:.3f}, "
            f"95th percentile {similarity.percentile_95:.3f}; the pairs most likely to be confused:"
        )
        for first, second, cosine in similarity.closest_pairs(pairs):
            names = " | ".join(f"{action_label(action)} {descriptions[action]['label']}" for action in (first, second))
            console.print(f"  {cosine:.3f}  {printable(names)}", markup=False)
    for warning in warnings:
        console.print(f"warning: {printable(warning)}", style="yellow", markup=False)
    number = len(descriptions)
    found = f"{len(warnings)} warning{'s' * (len(warnings) != 1)}, see above" if warnings else "no problem found"
    summary = f"{_source(context)}: {number} actions, {found}, read by {context.config.text.encoder}"
    console.print(summary, markup=False)


def _neighbour_table(descriptions: Texts, by_level: Mapping[str, Similarity], neighbours: int) -> Table:
    """A row for each action, with a column of neighbours for every level."""
    table = Table("action", "text", *(f"nearest by {level}" for level in by_level), box=box.SIMPLE_HEAD)
    for action, row in descriptions.items():
        nearest = [
            "\n".join(f"{action_label(other)} {cosine:.2f}" for other, cosine in level.neighbours(action, neighbours))
            for level in by_level.values()
        ]
        table.add_row(action_label(action), escape(printable(row["label"])), *nearest, end_section=True)
    return table
