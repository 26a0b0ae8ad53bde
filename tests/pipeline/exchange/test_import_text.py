"""`fsvae-pipe import text`: published text features, one file for each level -> text.h5."""

from pathlib import Path

import numpy as np

from data.stores.text_store import read_text_features
from tests.shared.import_command import call, refused, states
from tests.shared.made_published import Published


def test_the_level_comes_from_the_name_or_the_argument(work: Path, tmp_path: Path) -> None:
    label, dictionary, motion = Published().write_text(tmp_path / "text")
    result = call("-w", work, "import", "text", motion, label, dictionary)
    assert result.exit_code == 0, result.output
    text = read_text_features(work / "text.h5")
    np.testing.assert_array_equal(text.features["local"], np.load(motion).astype(np.float32))
    np.testing.assert_array_equal(text.features["global"], np.load(dictionary).astype(np.float32))
    assert text.action.tolist() == list(range(1, 61))
    result = call("-w", work, "import", "text", f"local={dictionary}", f"global={motion}", label)
    assert result.exit_code == 0, result.output
    np.testing.assert_array_equal(
        read_text_features(work / "text.h5").features["local"], np.load(dictionary).astype(np.float32)
    )
    assert states(work)["embed-text"] == "done"


def test_text_files_that_do_not_fit_are_refused(work: Path, tmp_path: Path) -> None:
    label, dictionary, motion = Published().write_text(tmp_path / "text")
    assert "for local" in refused(work, "text", label, dictionary)
    assert "one file for each level" in refused(work, "text", label, dictionary, motion, f"label={label}")
    assert "LEVEL=FILE" in refused(work, "text", label.rename(tmp_path / "words.npy"))
    np.save(label, np.ones((120, 8)))
    assert "60 actions" in refused(work, "text", label, dictionary, motion)
    np.save(label, np.eye(60, 59))
    assert "row 59 is all zero" in refused(work, "text", label, dictionary, motion)
