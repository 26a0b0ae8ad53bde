"""Encoders that want an instruction: prompt, dimensions and dtype give what sentence-transformers itself gives."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from models.errors import ModelError
from models.text.encoders import load_text_encoder
from models.text.settings import DType
from tests.shared.made_encoders import save_bert, save_clip, save_e5, save_gemma, save_qwen3, save_t5

TEXTS = ["drink water", "sit down, slowly", "喝水"]
SAVE: dict[str, Callable[[Path], Path]] = {"qwen3": save_qwen3, "gemma": save_gemma, "e5": save_e5, "t5": save_t5}
INSTRUCTION = "Instruct: name it\nQuery: "


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    root = tmp_path_factory.mktemp("encoders")
    return {name: save(root / name) for name, save in SAVE.items()}


def library(folder: Path, dtype: DType = "float32") -> Any:
    from sentence_transformers import SentenceTransformer

    model = SentenceTransformer(str(folder), device="cpu", model_kwargs={"dtype": getattr(torch, dtype)})
    for module in list(model)[1:]:
        module.to(getattr(torch, dtype))
    return model


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
@pytest.mark.parametrize("prompt", ["", INSTRUCTION])
@pytest.mark.parametrize("name", SAVE)
def test_features_are_those_of_the_library(folders: dict[str, Path], name: str, prompt: str, dtype: DType) -> None:
    encoder = load_text_encoder(str(folders[name]), prompt=prompt, dtype=dtype)
    expected = library(folders[name], dtype).encode(TEXTS, prompt=prompt, batch_size=1, show_progress_bar=False)
    features = encoder.encode(TEXTS)
    assert features.dtype == np.float32
    assert features.shape == (3, 16)
    np.testing.assert_allclose(features, expected, rtol=0, atol=1e-6)
    assert np.linalg.matrix_rank(features - features.mean(axis=0)) == 2  # texts differ


@pytest.mark.parametrize("name", SAVE)
def test_the_first_dimensions_are_kept_and_have_length_1(folders: dict[str, Path], name: str) -> None:
    features = load_text_encoder(str(folders[name]), dimensions=5).encode(TEXTS)
    expected = library(folders[name]).encode(
        TEXTS, truncate_dim=5, normalize_embeddings=True, batch_size=1, show_progress_bar=False
    )
    np.testing.assert_allclose(features, expected, rtol=0, atol=1e-6)
    np.testing.assert_allclose(np.linalg.norm(features, axis=1), 1, atol=1e-6)


def test_more_dimensions_than_there_are_is_an_error(folders: dict[str, Path]) -> None:
    with pytest.raises(ModelError, match=r"text.dimensions = 17, but features of .* have 16 numbers"):
        load_text_encoder(str(folders["e5"]), dimensions=17).encode(TEXTS)


@pytest.mark.parametrize(("name", "prompt"), [("qwen3", "query"), ("gemma", "STS")])
def test_a_single_word_names_a_prompt_of_the_model(folders: dict[str, Path], name: str, prompt: str) -> None:
    model = library(folders[name])
    expected = model.encode(TEXTS, prompt_name=prompt, batch_size=1, show_progress_bar=False)
    encoder = load_text_encoder(str(folders[name]), prompt=prompt)
    assert encoder.prompt == model.prompts[prompt]
    np.testing.assert_allclose(encoder.encode(TEXTS), expected, rtol=0, atol=1e-6)


def test_a_prompt_that_the_model_does_not_bring_is_an_error_that_lists_its_own(folders: dict[str, Path]) -> None:
    with pytest.raises(ModelError, match=r"text.prompt = .qery.: .* brings the prompts query \('Instruct: find it"):
        load_text_encoder(str(folders["qwen3"]), prompt="qery")
    with pytest.raises(ModelError, match="brings no prompts"):
        load_text_encoder(str(folders["e5"]), prompt="query")


def test_the_prompt_that_a_model_uses_by_itself_is_used_and_counted(folders: dict[str, Path], tmp_path: Path) -> None:
    model = library(folders["qwen3"])
    model.default_prompt_name = "query"
    model.save(str(tmp_path))
    encoder = load_text_encoder(str(tmp_path))
    expected = model.encode(TEXTS, batch_size=1, show_progress_bar=False)
    np.testing.assert_allclose(encoder.encode(TEXTS), expected, rtol=0, atol=1e-6)
    assert encoder.count_tokens("ab") == len(model.prompts["query"]) + 3


def test_the_prompt_counts_for_the_length(folders: dict[str, Path]) -> None:
    encoder = load_text_encoder(str(folders["e5"]), prompt=INSTRUCTION)
    fitting = "b" * (64 - 1 - len(INSTRUCTION))
    encoder.encode([fitting])
    with pytest.raises(ModelError, match=r"has 65 tokens, but .* reads 64"):
        encoder.encode([fitting + "b"])


def test_clip_puts_the_instruction_before_the_text(tmp_path: Path) -> None:
    folder = str(save_clip(tmp_path))
    expected = load_text_encoder(folder).encode(["do: sip"])
    assert np.array_equal(load_text_encoder(folder, prompt="do: ").encode(["sip"]), expected)


def test_the_fingerprint_follows_prompt_dimensions_and_dtype(tmp_path: Path) -> None:
    folder = str(save_bert(tmp_path))
    plain = load_text_encoder(folder).fingerprint()
    settings: list[dict[str, Any]] = [{"prompt": "a: "}, {"prompt": "b: "}, {"dimensions": 3}, {"dtype": "bfloat16"}]
    fingerprints = [load_text_encoder(folder, **setting).fingerprint() for setting in settings]
    assert len({plain, *fingerprints}) == 5
    assert load_text_encoder(folder, prompt="", dimensions=0, dtype="float32").fingerprint() == plain


def test_a_model_saved_in_half_precision_is_computed_in_float32(tmp_path: Path) -> None:
    folder = save_bert(tmp_path)
    model = library(folder)
    model[0].to(torch.bfloat16)
    model.save(str(tmp_path / "half"))
    encoder = load_text_encoder(str(tmp_path / "half"))
    assert {tensor.dtype for tensor in encoder.model.parameters()} == {torch.float32}
