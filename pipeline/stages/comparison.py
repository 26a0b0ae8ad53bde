"""Compares a run with the published results of its split, and lists how its conditions differ from the paper's."""

import json
import tomllib
from collections.abc import Mapping
from functools import cache
from importlib import resources
from typing import Any

from data.stores import h5
from models.fsvae.presets import OF_DATASET
from models.fsvae.settings import ModelSettings
from models.text.settings import TextSettings
from pipeline.stages.result_tables import Table, number, seen_unseen_h
from pipeline.workspace.config import PRESET, Config, config_of
from pipeline.workspace.context import Context
from pipeline.workspace.evaluate_settings import RULES
from pipeline.workspace.provenance import IMPORT, Provenance

PAPER_PROTOCOL = "xsub"
PAPER_ENCODERS = ("clip", "openai/clip-vit-base-patch32")
PUBLIC_LEVELS = ("label", "global", "local")
PAPER_BACKBONE = "the paper uses published 256-d features of a Shift-GCN"
COLUMNS = ("zsl", "seen", "unseen", "h")
OF_PRESETS = ("model.", "train.", "evaluate.")
CHANGE_NO_RUN = (PRESET, "model.aligner", "train.seeds", "train.workers", "evaluate.selection")  # or are said elsewhere


@cache
def _published_file() -> Mapping[str, Mapping[str, Any]]:
    return tomllib.loads(resources.files("pipeline.stages").joinpath("published.toml").read_text("utf-8"))


def published(split: str) -> Mapping[str, Mapping[str, Any]]:
    """Return method -> zsl, seen, unseen, h on `split`, as far as printed; a list where several runs are known.

    Empty when the paper lacks the split.
    """
    return _published_file().get(split, {})


def other_publications(split: str) -> Mapping[str, str]:
    """Return what differs from the paper, for each method on `split` whose figures come from another publication."""
    differs = _published_file()["differs"]
    return {method: differs[method] for method in published(split) if method in differs}


def differences(context: Context, trained: Config) -> list[str]:
    """Return a sentence for each condition that is not the paper's: backbone, texts, protocol, settings."""
    features, text = (h5.read_record(path) for path in (context.workspace.features("test"), context.workspace.text))
    encoder = text.get("encoder", "")
    sentences = []
    if features.get("transfer") == "true":
        sentences.append("backbone: it was trained on unseen actions too, so this is not a zero-shot result")
    elif features["stage"] != IMPORT:
        sentences.append(f"backbone: trained by this program; {PAPER_BACKBONE}")
    if text["stage"] == IMPORT:
        sentences.append("texts: imported; whether they are the authors' is not known")
    else:
        if encoder not in PAPER_ENCODERS:
            sentences.append(f'texts: encoder "{encoder}"; the paper uses CLIP ViT-B/32')
        made_with = Provenance.from_record(text).settings
        for key in ("prompt", "dimensions", "dtype"):
            value, default = made_with.get(f"text.{key}"), getattr(TextSettings(), key)
            if value not in (None, default):
                sentences.append(f"texts: {key} {value!r}; the paper uses none of its own")
        sentences.append("texts: the descriptions are not the paper's")
    if set(trained.text.levels) != set(TextSettings().levels):
        sentences.append(f"texts: levels {', '.join(trained.text.levels)}; the paper uses label, local and global")
    elif trained.model.preset == "released" and trained.text.levels != PUBLIC_LEVELS:
        sentences.append(
            f"texts: levels in the order {', '.join(trained.text.levels)}; the public code's is "
            f"{', '.join(PUBLIC_LEVELS)}, and its frequency module sees the order"
        )
    if trained.dataset.protocol != PAPER_PROTOCOL:
        sentences.append(f"protocol: {trained.dataset.protocol}; the paper's is {PAPER_PROTOCOL}")
    if trained.model.aligner != ModelSettings().aligner:
        return [*sentences, f'model: aligner "{trained.model.aligner}", not FS-VAE']
    if trained.model.preset == ModelSettings().preset:
        sentences.append('model: preset "default"; "paper" and "released" are the published variants')
    return sentences + unlike_preset(trained.model_copy(update={"evaluate": context.config.evaluate}))


def unlike_preset(config: Config) -> list[str]:
    """Return a sentence that names the settings which are not those of the preset, if there are any.

    What the paper sets for the data set counts as the preset's.
    """
    preset, of_dataset = config.model.preset, OF_DATASET.get(config.dataset.name, {})
    own, usual = config.flat(), config_of({PRESET: preset, **of_dataset}, "preset").flat()
    changed = [
        f"{key} = {json.dumps(value)} (there {json.dumps(usual[key])})"
        for key, value in own.items()
        if key.startswith(OF_PRESETS) and key not in CHANGE_NO_RUN and value != usual[key]
    ]
    return [f'settings: not those of preset "{preset}": {", ".join(changed)}'] if changed else []


def comparison_table(results: Mapping[str, Any], split: str) -> Table:
    """Return the published rows of `split`, then the rows of this run: one for each rule, with the fitted gate.

    The paper's rows come before those of other publications. The footnotes say what differs in the latter.
    """
    rows = [
        [
            f"{method} (misprinted)" if row.get("misprinted") else method,
            *(percent(row.get(column)) for column in COLUMNS),
        ]
        for method, row in published(split).items()
    ]
    others = other_publications(split)
    this_run = [
        [f"this run, {rule}", number(results, rule, "zsl.top1"), *seen_unseen_h(results, rule)] for rule in RULES
    ]
    return Table(
        ["method", "ZSL", "S", "U", "H"],
        [*rows, *this_run],
        groups=(len(rows) - len(others), len(rows)),
        footnotes=[f"{method}: {differs}." for method, differs in others.items()],
    )


def percent(printed: float | list[float] | None) -> str:
    """Return a published number, or those of several runs, as text; "-" where none is known."""
    if isinstance(printed, list):
        return ", ".join(map(percent, printed))
    return "-" if printed is None else f"{printed:.1f}"
