"""embed-text on a small CLIP that the tests build and save."""

import csv
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from rich.console import Console
from safetensors.torch import load_file, save_file

from data.errors import DataError
from data.stores import h5
from data.stores.text_store import TextFeatures, read_text_features
from descriptions.errors import DescriptionError
from descriptions.loader import COLUMNS
from models.text.encoders import ClipEncoder, load_text_encoder
from pipeline.running.staleness import stage_state
from pipeline.stages.table import stage_named
from pipeline.workspace.config import build_config
from pipeline.workspace.context import Context
from pipeline.workspace.folder import Workspace
from tests.shared.made_encoders import save_bert, save_clip
from tests.shared.rewritten import rewrite_record

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


def test_texts_of_unknown_words_are_refused(context: Context, tmp_path: Path) -> None:
    save_bert(tmp_path / "encoder")  # it knows "one hand rises both legs"
    write_texts(
        tmp_path / "texts.csv",
        {
            1: ("one hand", "both legs", "one hand rises"),
            2: ("喝 水", "both legs rises one 手", "hand"),
            7: ("踢", "one", "one"),
        },
    )
    with pytest.raises(DescriptionError) as caught:
        embed(context)
    message = str(caught.value)
    assert message.startswith("A002: 100% of label, 20% of local is unknown to ")
    assert "A007: 100% of label is unknown" in message
    assert "A001" not in message
    assert 'text.encoder = "sentence-transformers/paraphrase-multilingual-MiniLM-L12-v2"' in message
    assert not context.workspace.text.exists()


def test_less_than_a_fifth_of_unknown_words_is_no_fault(context: Context, tmp_path: Path) -> None:
    save_bert(tmp_path / "encoder")
    texts = {1: ("one hand", "one", "one hand rises both legs rises 手"), 2: ("both legs", "one", "one")}
    write_texts(tmp_path / "texts.csv", texts)
    assert embed(context).action.tolist() == [1, 2]


def test_actions_with_the_same_texts_are_refused(context: Context, tmp_path: Path) -> None:
    write_texts(tmp_path / "texts.csv", dict.fromkeys(TEXTS, ("sip", "hand up", "one")))
    with pytest.raises(DataError, match="A001, A002, A007 have the same text features, so that nothing tells them"):
        embed(context)
    assert not context.workspace.text.exists()


def test_an_encoder_that_makes_the_same_of_all_texts_is_refused(context: Context, tmp_path: Path) -> None:
    weights = tmp_path / "encoder" / "model.safetensors"
    state = load_file(weights)
    state["text_model.final_layer_norm.weight"].zero_()
    state["text_model.final_layer_norm.bias"].fill_(1)
    save_file(state, weights, {"format": "pt"})
    with pytest.raises(DataError, match=r"have the same text features, .*set text.encoder to another encoder"):
        embed(context)


def test_two_of_several_actions_with_the_same_texts_are_a_warning(context: Context, tmp_path: Path) -> None:
    write_texts(tmp_path / "texts.csv", TEXTS | {9: TEXTS[2]})
    screen = io.StringIO()
    embed(replace(context, console=Console(file=screen, width=200)))
    assert "warning: A002, A009 have the same text features" in screen.getvalue()


@pytest.mark.parametrize(("key", "value"), [("prompt", "do: "), ("dimensions", 3), ("dtype", "bfloat16")])
def test_a_changed_prompt_number_of_dimensions_or_dtype_makes_new_features(
    context: Context, tmp_path: Path, encoded: list[list[str]], key: str, value: Any
) -> None:
    before = embed(context)
    changed = with_text(context, **{key: value})
    state = stage_state(stage_named("embed-text"), changed, {})
    assert state.state == "stale"
    assert state.reasons[0].startswith(f"text.{key} changed from ")
    encoded.clear()
    after = embed(changed)
    assert sum(map(len, encoded)) == 7  # none is kept
    expected = load_text_encoder(str(tmp_path / "encoder"), **{key: value}).encode(["sip", "kick", "bow"])
    assert np.array_equal(after.features["label"], expected)
    assert not np.array_equal(after.features["label"][:, :3], before.features["label"][:, :3])


def test_text_features_from_before_these_keys_stay_valid(context: Context, encoded: list[list[str]]) -> None:
    embed(context)
    settings = json.loads(h5.read_record(context.workspace.text)["settings"])
    for key in ("prompt", "dimensions", "dtype"):
        del settings[f"text.{key}"]
    rewrite_record(context.workspace.text, {"settings": json.dumps(settings)})
    assert stage_state(stage_named("embed-text"), context, {}).state == "done"
    encoded.clear()
    embed(context)
    assert encoded == []
