"""An encoder whose files were damaged is an error that names the file and the tensor, or its features are the same."""

import shutil
from collections.abc import Callable, Mapping
from functools import partial
from itertools import cycle
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file, save_file
from torch import Tensor

from models.errors import ModelError
from models.text.encoders import load_text_encoder
from tests.shared.made_encoders import save_bert, save_clip, save_siglip, sentence_modules

TEXTS = ["one hand", "rises", "both legs", "a b c d"]
State = dict[str, Tensor]


def removed(state: State, name: str) -> None:
    del state[name]


def renamed(state: State, name: str) -> None:
    state[f"{name}_old"] = state.pop(name)


def reshaped(state: State, name: str) -> None:
    state[name] = torch.cat((state[name], state[name]))


def with_nan(state: State, name: str) -> None:
    state[name].view(-1)[-1] = torch.nan


def with_infinity(state: State, name: str) -> None:
    state[name].view(-1)[0] = torch.inf


def added(state: State, name: str) -> None:
    state[f"{name}.more"] = torch.zeros(2)


def in_whole_numbers(state: State, name: str) -> None:
    state[name] = (1000 * state[name]).to(torch.int64)


DAMAGES: Mapping[Callable[[State, str], None], str] = {
    removed: "missing: ",
    renamed: "missing: ",
    reshaped: "shapes: ",
    with_nan: "NaN or infinite: ",
    with_infinity: "NaN or infinite: ",
    added: "unknown: ",
    in_whole_numbers: "types: ",
}


def apply(damage: Callable[[State, str], None], name: str, state: State) -> None:
    damage(state, name)


def copy_with(folder: Path, copy: Path, change: Callable[[State], None], file: str = "model.safetensors") -> Path:
    """A copy of the encoder in `folder` with `change` made to the tensors in `file`."""
    shutil.copytree(folder, copy, dirs_exist_ok=True)
    state = load_file(copy / file)
    change(state)
    save_file(state, copy / file, {"format": "pt"})
    return copy


def features(folder: Path) -> NDArray[np.float32]:
    return load_text_encoder(str(folder)).encode(TEXTS)


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    root = tmp_path_factory.mktemp("encoders")
    save = {"clip": save_clip, "siglip": save_siglip, "bert": save_bert}
    return {name: function(root / name) for name, function in save.items()}


def test_the_text_tower_of_an_image_generator_has_no_projection(folders: dict[str, Path], tmp_path: Path) -> None:
    folder = copy_with(folders["clip"], tmp_path / "tower", partial(removed, name="text_projection.weight"))
    with pytest.raises(ModelError) as caught:
        load_text_encoder(str(folder))
    assert f"{folder}/model.safetensors is not a whole text encoder (missing: text_projection.weight)" in str(
        caught.value
    )


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize(
    ("name", "tensor"),
    [
        ("clip", "text_model.encoder.layers.1.mlp.fc1.weight"),
        ("siglip", "text_model.head.weight"),
        ("bert", "encoder.layer.0.attention.self.key.bias"),
    ],
)
def test_file_and_tensor_are_named(
    folders: dict[str, Path], tmp_path: Path, name: str, tensor: str, damage: Callable[[State, str], None]
) -> None:
    folder = copy_with(folders[name], tmp_path / "damaged", lambda state: damage(state, tensor))
    with pytest.raises(ModelError) as caught:
        load_text_encoder(str(folder))
    assert f"{folder}/model.safetensors is not a whole text encoder" in str(caught.value)
    assert f"{DAMAGES[damage]}{tensor}" in str(caught.value)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["clip", "siglip", "bert"])
def test_no_tensor_can_be_damaged_in_silence(folders: dict[str, Path], tmp_path: Path, name: str) -> None:
    whole, unused = features(folders[name]), []
    others = cycle(damage for damage in DAMAGES if damage is not removed)
    for tensor in load_file(folders[name] / "model.safetensors"):
        if tensor.startswith("vision_model.encoder."):
            continue  # many, and one like the other
        for damage in (removed, next(others)):
            folder = copy_with(folders[name], tmp_path / "damaged", partial(apply, damage, tensor))
            try:
                same = np.allclose(
                    features(folder), whole, rtol=0, atol=1e-6
                )  # files aligned otherwise round otherwise
            except ModelError as error:
                same = tensor in str(error)
            else:
                unused.append(tensor)
            assert same, (damage.__name__, tensor)
    assert all(tensor.startswith(("vision_model.", "logit_", "pooler.")) for tensor in unused)
    assert bool(unused) == (name != "clip")


def test_a_pooler_that_no_feature_depends_on_may_be_missing(folders: dict[str, Path], tmp_path: Path) -> None:
    def without_pooler(state: State) -> None:
        for tensor in ("pooler.dense.weight", "pooler.dense.bias"):
            del state[tensor]

    folder = copy_with(folders["bert"], tmp_path / "bert", without_pooler)
    first, second = (load_text_encoder(str(folder)) for _ in range(2))
    np.testing.assert_allclose(first.encode(TEXTS), features(folders["bert"]), rtol=0, atol=1e-6)
    assert first.fingerprint() == second.fingerprint()  # the pooler is not random


def test_modules_that_sentence_transformers_adds_are_checked_too(folders: dict[str, Path], tmp_path: Path) -> None:
    from sentence_transformers import SentenceTransformer

    model = SentenceTransformer(str(folders["bert"]), device="cpu")
    model.append(sentence_modules().Dense(16, 4))
    model.save(str(tmp_path / "whole"))
    assert features(tmp_path / "whole").shape == (4, 4)
    for damage, told in ((with_nan, "NaN or infinite: 2.linear.weight"), (removed, r"Missing key.*linear\.weight")):
        folder = copy_with(
            tmp_path / "whole",
            tmp_path / damage.__name__,
            partial(apply, damage, "linear.weight"),
            "2_Dense/model.safetensors",
        )
        with pytest.raises(ModelError, match=told):
            load_text_encoder(str(folder))


@pytest.mark.parametrize("name", ["clip", "bert"])
def test_a_folder_without_its_tokeniser_is_refused(folders: dict[str, Path], tmp_path: Path, name: str) -> None:
    folder = shutil.copytree(folders[name], tmp_path / "copy")
    for path in folder.glob("token*"):
        path.unlink()
    with pytest.raises(ModelError, match=r"knows no word|holds no text encoder"):
        load_text_encoder(str(folder))


def test_a_tokeniser_without_its_settings_is_an_error_or_as_good(folders: dict[str, Path], tmp_path: Path) -> None:
    for kind, whole in folders.items():
        folder = shutil.copytree(whole, tmp_path / kind)
        for path in folder.rglob("tokenizer_config.json"):
            path.unlink()
        try:
            same = np.array_equal(features(folder), features(whole))
        except ModelError as error:
            same = str(folder) in str(error)
        assert same, kind


def test_a_tokeniser_of_another_model_is_an_error(folders: dict[str, Path], tmp_path: Path) -> None:
    folder = shutil.copytree(folders["bert"], tmp_path / "copy")
    for path in folders["clip"].glob("token*"):
        shutil.copy(path, folder)
    with pytest.raises(ModelError, match="its tokeniser has more tokens than its weights"):
        features(folder)


@pytest.mark.parametrize("content", [b"", b"no weights", None])
@pytest.mark.parametrize("name", ["model.safetensors", "pytorch_model.bin"])
def test_files_that_are_cut_short_are_an_error(
    folders: dict[str, Path], tmp_path: Path, name: str, content: bytes | None
) -> None:
    folder = shutil.copytree(folders["clip"], tmp_path / "copy")
    whole = (folder / "model.safetensors").read_bytes()
    (folder / "model.safetensors").unlink()
    (folder / name).write_bytes(whole[: len(whole) // 2] if content is None else content)
    with pytest.raises(ModelError, match="holds no text encoder"):
        load_text_encoder(str(folder))
