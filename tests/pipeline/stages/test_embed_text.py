"""embed-text on a small CLIP that the tests build and save."""

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from rich.console import Console

from data.stores.text_store import TextFeatures, read_text_features
from descriptions.errors import DescriptionError
from descriptions.loader import COLUMNS
from models.text.encoders import ClipEncoder, load_text_encoder
from pipeline.running.staleness import stage_state
from pipeline.stages.table import stage_named
from pipeline.workspace.config import build_config
from pipeline.workspace.context import Context
from pipeline.workspace.folder import Workspace
from tests.shared.made_encoders import save_clip

TEXTS = {1: ("sip", "hand up", "one"), 2: ("kick", "leg up", "two"), 7: ("bow", "leg up", "one")}


def write_texts(path: Path, texts: Mapping[int, tuple[str, ...]]) -> None:
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([COLUMNS, *((f"A{action:03d}", *row) for action, row in texts.items())])


@pytest.fixture
def context(tmp_path: Path) -> Context:
    save_clip(tmp_path / "encoder")
    write_texts(tmp_path / "texts.csv", TEXTS)
    tree = {"dataset": {"name": "own", "descriptions": "texts.csv"}, "text": {"encoder": "encoder"}, "device": "cpu"}
    return Context(Workspace(tmp_path), build_config(tree, ""), tmp_path / "config.toml", Console(file=io.StringIO()))


@pytest.fixture
def encoded(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """The texts of every encode call."""
    calls: list[list[str]] = []
    encode = ClipEncoder.encode

    def recorded(self: ClipEncoder, texts: Sequence[str], batch_size: int | None = None) -> NDArray[np.float32]:
        calls.append(list(texts))
        return encode(self, texts, batch_size)

    monkeypatch.setattr(ClipEncoder, "encode", recorded)
    return calls


def embed(context: Context) -> TextFeatures:
    stage_named("embed-text").run(context)
    return read_text_features(context.workspace.text)


def with_text(context: Context, **settings: Any) -> Context:
    tree = context.config.plain()
    tree["text"] |= settings
    return replace(context, config=build_config(tree, ""))


def test_every_action_has_its_encoders_features_and_its_texts_beside_them(context: Context, tmp_path: Path) -> None:
    text = embed(context)
    assert text.encoder == "encoder"
    assert text.action.tolist() == [1, 2, 7]
    expected = load_text_encoder(str(tmp_path / "encoder")).encode(["hand up", "leg up", "leg up"])
    assert np.array_equal(text.features["local"], expected)
    assert text.texts["global"].tolist() == ["one", "two", "one"]
    assert stage_state(stage_named("embed-text"), context, {}).state == "done"


def test_only_a_changed_text_is_encoded_again(context: Context, tmp_path: Path, encoded: list[list[str]]) -> None:
    before = embed(context)
    assert sum(map(len, encoded)) == 7  # nine texts, two of them twice
    encoded.clear()
    write_texts(tmp_path / "texts.csv", TEXTS | {2: ("kick", "foot up", "two")})
    after = embed(context)
    assert encoded == [["foot up"]]
    assert np.array_equal(after.features["label"], before.features["label"])
    assert np.array_equal(after.features["local"][[0, 2]], before.features["local"][[0, 2]])
    context.workspace.text.unlink()
    assert np.array_equal(embed(context).features["local"], after.features["local"])  # bit for bit as from nothing


def test_another_model_behind_the_same_name_encodes_everything_again(
    context: Context, tmp_path: Path, encoded: list[list[str]]
) -> None:
    before = embed(context)
    encoded.clear()
    save_clip(tmp_path / "encoder", seed=1)
    state = stage_state(stage_named("embed-text"), context, {})
    assert state.reasons == ("files of encoder changed",)
    after = embed(context)
    assert sum(map(len, encoded)) == 7
    assert not np.allclose(after.features["label"], before.features["label"])


def test_a_text_file_that_was_cut_short_is_made_anew(context: Context, encoded: list[list[str]]) -> None:
    embed(context)
    content = context.workspace.text.read_bytes()
    context.workspace.text.write_bytes(content[: len(content) // 2])
    encoded.clear()
    embed(context)
    assert sum(map(len, encoded)) == 7


def test_levels_that_are_not_in_use_are_not_written(context: Context) -> None:
    text = embed(with_text(context, levels=["global", "label"]))
    assert set(text.features) == set(text.texts) == {"label", "global"}


def test_templates_average_normalised_features(context: Context, tmp_path: Path, encoded: list[list[str]]) -> None:
    embed(context)
    encoded.clear()
    text = embed(with_text(context, templates={"label": ["{}", "do {}!"]}))
    assert encoded == [["sip", "kick", "bow"], ["do sip!", "do kick!", "do bow!"]]  # the other levels are kept
    encoder = load_text_encoder(str(tmp_path / "encoder"))
    units = [row / np.linalg.norm(row) for row in encoder.encode(["kick", "do kick!"])]
    mean = (units[0] + units[1]) / 2
    np.testing.assert_allclose(text.features["label"][1], mean / np.linalg.norm(mean), rtol=1e-5)


def test_a_template_without_a_place_for_the_text_is_refused(context: Context) -> None:
    with pytest.raises(Exception, match=r"text\.templates\.global\.0 .* holds \{\} once"):
        with_text(context, templates={"global": ["a person"]})


def test_every_text_that_the_encoder_would_cut_is_named(context: Context, tmp_path: Path) -> None:
    write_texts(tmp_path / "texts.csv", TEXTS | {2: ("k" * 15, "leg", "two"), 7: ("bow", "leg", "up " * 8)})
    message = r"A002: label is 17 tokens long, .* reads 16; A007: global is 18 tokens long"
    with pytest.raises(DescriptionError, match=message):
        embed(context)
    assert not context.workspace.text.exists()


def test_a_template_counts_for_the_length(context: Context) -> None:
    with pytest.raises(DescriptionError, match="A001: local is 19 tokens long"):
        embed(with_text(context, templates={"local": ["{}", "{} a b c d e f g h i j k"]}))
