from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from data.errors import DataError
from data.stores import h5
from data.stores.text_store import TextFeatures, read_text_features, write_text_features


def test_round_trip(tmp_path: Path) -> None:
    text = TextFeatures(
        encoder="minilm",
        action=np.array([1, 3]),
        features={"label": np.eye(2, 4, dtype=np.float32), "global": np.ones((2, 3), dtype=np.float32)},
        texts={"label": np.array(["wave", "göra"]), "global": np.array(["a", "b"])},
    )
    write_text_features(tmp_path / "text.h5", text, {"stage": "embed-text"})
    again = read_text_features(tmp_path / "text.h5")
    assert again.encoder == "minilm"
    assert again.action.tolist() == [1, 3]
    assert again.features.keys() == text.features.keys()
    for level in text.features:
        np.testing.assert_array_equal(again.features[level], text.features[level])
        assert again.texts[level].tolist() == text.texts[level].tolist()
    assert h5.read_record(tmp_path / "text.h5")["stage"] == "embed-text"


def test_known_actions_come_back(tmp_path: Path) -> None:
    label = {"label": np.ones((1, 4), np.float32)}
    known = TextFeatures("x", np.array([2]), {"label": np.eye(1, 3, dtype=np.float32)}, {"label": np.array(["jump"])})
    write_text_features(tmp_path / "text.h5", TextFeatures("x", np.array([7]), label, {}, known), {})
    again = read_text_features(tmp_path / "text.h5")
    assert again.features.keys() == {"label"}
    assert again.known is not None
    assert again.known.action.tolist() == [2]
    assert again.known.texts["label"].tolist() == ["jump"]
    np.testing.assert_array_equal(again.known.features["label"], known.features["label"])
    write_text_features(tmp_path / "text.h5", replace(again, known=replace(known, action=np.array([0]))), {})
    with pytest.raises(DataError, match="known/action does not hold"):
        read_text_features(tmp_path / "text.h5")


def test_levels_of_different_length_are_refused(tmp_path: Path) -> None:
    text = TextFeatures("x", np.array([1, 2]), {"label": np.ones((3, 4), dtype=np.float32)}, {})
    write_text_features(tmp_path / "text.h5", text, {})
    with pytest.raises(DataError, match="embed-text"):
        read_text_features(tmp_path / "text.h5")
