"""The published results: what the paper prints, and what a run says about how it differs."""

import io
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from data.splits import split_names
from models.zero_shot.metrics import harmonic_mean
from pipeline.exchange.import_text import import_text
from pipeline.stages.comparison import comparison_table, differences, other_publications, published, unlike_preset
from pipeline.stages.result_tables import on_screen
from pipeline.workspace.config import build_config
from pipeline.workspace.provenance import read_record
from tests.pipeline.stages.test_train import SMALL
from tests.shared.made_features import made_workspace
from tests.shared.made_published import Published
from tests.shared.rewritten import rewrite_record

SPLITS = ("ntu60-synse-55-5", "ntu60-synse-48-12", "ntu120-synse-110-10", "ntu120-synse-96-24")


@pytest.mark.parametrize("split", SPLITS)
def test_h_follows_from_its_parts_unless_misprinted(split: str) -> None:
    assert split in split_names()
    for method, row in published(split).items():
        if "seen" in row:
            fits = abs(harmonic_mean(row["seen"], row["unseen"]) - row["h"]) < 0.2
            assert fits != bool(row.get("misprinted")), method


def test_no_other_split_has_published_rows() -> None:
    """Splits of one size (three of SMIE and of SA-DVAE each) have other actions than SynSE's, so other results."""
    assert {split for split in split_names() if published(split)} == set(SPLITS)


def test_the_papers_headline() -> None:
    assert published("ntu60-synse-55-5")["FS-VAE"] == {"zsl": 86.9, "seen": 77.0, "unseen": 74.5, "h": 75.7}
    assert published("ntu60-synse-48-12")["FS-VAE"]["zsl"] == 57.2
    assert not published("custom")


NEWEST = {  # ZSL on SPLITS, then H
    "SkeletonContext": ([89.6, 64.4, 74.2, 60.1], [77.1, 61.1, 63.1, 56.1]),
    "Neuron": ([86.9, 62.7, 71.5, 57.1], [71.4, 59.1, 63.3, 53.6]),
    "TDSM": ([86.5, 56.0, 74.2, 65.1], [None] * 4),
    "FS-VAE (new texts, 8 B encoder)": ([80.3, 66.3, 79.9, 65.3], [72.9, 60.4, 65.0, 54.6]),
}


@pytest.mark.parametrize("method", NEWEST)
def test_what_others_have_reached(method: str) -> None:
    rows = [published(split)[method] for split in SPLITS]
    assert ([row["zsl"] for row in rows], [row.get("h") for row in rows]) == NEWEST[method]


@pytest.mark.parametrize("split", SPLITS)
def test_of_every_other_publication_backbone_texts_and_selection_are_said(split: str) -> None:
    others = other_publications(split)
    assert set(NEWEST) <= set(others)
    assert "FS-VAE" not in others
    for differs in others.values():
        assert "features" in differs or "backbone" in differs.lower()
        assert "texts" in differs.lower()
        assert "selection" in differs.lower()


def test_all_that_differs_is_of_a_row() -> None:
    of_a_row = {method for split in SPLITS for method in other_publications(split)}
    assert of_a_row == set(published("differs"))


def test_the_table_has_this_run_below_the_published_and_below_it_what_differs() -> None:
    scores: dict[str, Any] = {"zsl": {"top1": 12.3}, "gzsl": {"seen": 1.0, "unseen": 2.0, "h": 1.3}}
    results = {"mean": {"val": scores, "last": scores, "oracle": scores}}
    screen = Console(file=io.StringIO(), width=120)
    screen.print(on_screen(comparison_table(results, SPLITS[1]), SPLITS[1]))
    printed = screen.file.getvalue()  # type: ignore[attr-defined]
    in_order = ("FS-VAE (reproduction 2)", "38.8, 44.1, 48.6", "this run, val", "- TDSM: backbone: ", "- Neuron: ")
    places = [printed.index(words) for words in in_order]
    assert places == sorted(places)
    assert "12.3" in printed


def test_what_is_not_as_in_the_paper_is_said(tmp_path: Path) -> None:
    context = made_workspace(tmp_path, SMALL)
    trained = build_config({"dataset": {"protocol": "xview"}, "text": {"levels": ["label"]}}, "test")
    said = " ".join(differences(context, trained))
    for words in (
        "trained by this program",
        'encoder "made"',
        "descriptions are not",
        "levels label",
        "xview",
        "preset",
    ):
        assert words in said


def test_of_imported_texts_no_encoder_is_claimed(tmp_path: Path) -> None:
    context = made_workspace(tmp_path, SMALL)
    rewrite_record(context.workspace.features("test"), {"stage": "import"})
    import_text(context, [str(path) for path in Published().write_text(tmp_path / "text")])
    assert read_record(context.workspace.text)["encoder"].startswith("imported: label from lb_60.npy")
    levels = ["label", "global", "local"]
    released = build_config({"model": {"preset": "released"}, "text": {"levels": levels}}, "test")
    said = differences(replace(context, config=released), released)
    assert said == ["texts: imported; whether they are the authors' is not known"]


def test_the_order_of_texts_is_said_of_the_public_code(tmp_path: Path) -> None:
    context = made_workspace(tmp_path, SMALL)
    for preset, orders in (("released", 1), ("paper", 0)):
        said = differences(context, build_config({"model": {"preset": preset}}, "test"))
        assert sum("the public code's is label, global, local" in words for words in said) == orders


@pytest.mark.parametrize("encoder", ["clip", "openai/clip-vit-base-patch32"])
def test_nothing_is_said_of_the_papers_encoder(tmp_path: Path, encoder: str) -> None:
    context = made_workspace(tmp_path, SMALL)
    rewrite_record(context.workspace.text, {"encoder": encoder})
    said = [words for words in differences(context, build_config({}, "test")) if words.startswith("texts")]
    assert said == ["texts: the descriptions are not the paper's"]


def test_a_backbone_that_has_seen_the_unseen_is_said(tmp_path: Path) -> None:
    context = made_workspace(tmp_path, SMALL)
    rewrite_record(context.workspace.features("test"), {"transfer": "true"})
    assert "not a zero-shot result" in differences(context, build_config({}, "test"))[0]


def test_settings_that_are_not_the_presets_are_named(tmp_path: Path) -> None:
    """A run of a preset with one setting changed is no run of the paper's method any more."""
    context = made_workspace(tmp_path, SMALL)
    changed = {"model": {"preset": "paper"}, "train": {"alpha": 0.0, "seeds": [1, 2]}, "evaluate": {"gate": {"c": 3.0}}}
    config = build_config(changed, "test")
    [said] = [words for words in differences(replace(context, config=config), config) if words.startswith("settings")]
    assert said == (
        'settings: not those of preset "paper": train.alpha = 0.0 (there 0.5), evaluate.gate.c = 3.0 (there 1.0)'
    )


@pytest.mark.parametrize("preset", ["default", "paper", "released"])
def test_what_the_paper_sets_for_a_data_set_is_the_presets(preset: str) -> None:
    model, train = {"preset": preset, "latent": 200}, {"steps_per_cycle": 1900, "alpha": 0.1}
    ntu120 = {"dataset": {"name": "ntu120"}, "model": model, "train": train}
    for tree in (ntu120, {"dataset": {"name": "ntu60"}, "model": {"preset": preset}}):
        assert unlike_preset(build_config(tree, "test")) == []
    [said] = unlike_preset(build_config({"model": {"preset": preset}, "dataset": {"name": "ntu120"}}, "test"))
    assert "model.latent = 100 (there 200)" in said
