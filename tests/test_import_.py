"""`fsvae-pipe import` as a user calls it, and the stages behind it."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

from data.feature_store import read_features
from data.text_store import read_text_features
from pipeline.caveats import LOOKS_AT_TEST_CLIPS
from pipeline.cli import main
from pipeline.provenance import read_record
from tests.conftest import TinyRun
from tests.made_published import UNSEEN, VAL_UNSEEN, Published
from tests.rewritten import rewrite_record

QUICK = [
    option
    for setting in (
        "train.steps_per_cycle=300",
        "train.cycles=2",
        "train.batch_size=32",
        "train.learning_rate=2e-3",
        "train.workers=1",
        "model.latent=16",
        "evaluate.classifier.samples=40",
        "evaluate.classifier.steps=100",
        "evaluate.classifier.learning_rate=1e-2",
    )
    for option in ("--set", setting)
]


def call(*arguments: str | Path) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


@pytest.fixture
def work(tmp_path: Path) -> Path:
    assert call("-w", tmp_path / "work", "init", "ntu60-synse-55-5").exit_code == 0
    return tmp_path / "work"


@pytest.fixture
def shift(tmp_path: Path) -> Path:
    return Published().write_test(tmp_path / "shift_5_r")


@pytest.fixture
def shift_val(tmp_path: Path) -> Path:
    return Published().write_val(tmp_path / "shift_val_5_r")


def written(work: Path) -> set[str]:
    return {str(path.relative_to(work)) for path in work.rglob("*.h5")}


def refused(work: Path, *arguments: str | Path) -> str:
    """The message of an import that fails and writes nothing."""
    result = call("-w", work, "import", *arguments)
    assert result.exit_code == 1, result.output
    assert "Traceback" not in result.output
    assert written(work) == set()
    return " ".join(result.stderr.split())


def states(work: Path) -> dict[str, str]:
    return {s["stage"]: s["state"] for s in json.loads(call("-w", work, "status", *QUICK, "--json").stdout)}


def test_folders_become_the_clips_of_both_phases(work: Path, shift: Path, shift_val: Path) -> None:
    result = call("-w", work, "import", "features", shift, shift_val)
    assert result.exit_code == 0, result.output
    test, val = (read_features(work / "features" / f"{phase}.h5") for phase in ("test", "val"))
    assert (test.train.sum(), (~test.train).sum(), test.held_out.sum()) == (55 * 8, 60 * 4, 0)
    assert set(test.action[test.train].tolist()) == set(range(1, 61)) - set(UNSEEN)
    gtest = np.load(shift / "gtest.npy")
    np.testing.assert_array_equal(test.features[~test.train], gtest)
    np.testing.assert_array_equal(test.logits[~test.train], np.load(shift / "gtest_out.npy"))
    np.testing.assert_array_equal(test.action[~test.train], np.load(shift / "g_label.npy") + 1)
    assert (test.name[0], test.name[-1]) == ("train.npy[0]", "gtest.npy[239]")
    assert val.train.all()
    assert set(val.action[val.held_out].tolist()) == set(range(1, 61)) - set(UNSEEN)
    assert not np.isin(val.action[~val.held_out], VAL_UNSEEN).any()
    assert test.logit_actions.tolist() == val.logit_actions.tolist() == list(range(1, 61))


@pytest.mark.slow
def test_an_import_does_for_the_stages_it_replaces(work: Path, tmp_path: Path, shift: Path, shift_val: Path) -> None:
    assert call("-w", work, "import", "features", shift, shift_val).exit_code == 0
    assert states(work) == dict.fromkeys(("preprocess", "extract"), "done") | dict.fromkeys(
        ("embed-text", "train", "evaluate"), "missing"
    )
    assert call("-w", work, "import", "text", *Published().write_text(tmp_path / "text")).exit_code == 0
    result = call("-w", work, "run", *QUICK)
    assert result.exit_code == 0, result.output
    assert set(states(work).values()) == {"done"}
    results = json.loads((work / "runs/default/results.json").read_text())
    assert results["mean"]["val"]["zsl"]["top1"] > 2 * results["mean"]["val"]["zsl"]["chance"]
    assert results["mean"]["last"]["gzsl_oracle_gate"]["seen"] > 90
    assert "extract" not in call("-w", work, "run", *QUICK).output


def test_what_needs_clips_or_texts_says_that_imports_have_none(
    work: Path, tmp_path: Path, shift: Path, shift_val: Path
) -> None:
    call("-w", work, "import", "features", shift, shift_val)
    call("-w", work, "import", "text", *Published().write_text(tmp_path / "text"))
    few = ("--set", "train.steps_per_cycle=5", "--set", "train.cycles=1", "--set", "evaluate.classifier.steps=5")
    ran = call("-w", work, "run", *QUICK, *few)
    assert ran.exit_code == 0, ran.output
    for command in (("predict", shift), ("export", tmp_path / "model")):
        result = call("-w", work, *command)
        assert result.exit_code == 1
        assert f"{work / 'features/test.h5'} was imported, so there is no backbone" in " ".join(result.stderr.split())
    assert call("-w", work, "export", tmp_path / "features", "--features", *few).exit_code == 0
    assert call("-w", work, "report").exit_code == 0
    page = (work / "runs" / "default" / "report.html").read_text("utf-8")
    assert "no texts: it was imported" in page
    assert "texts: imported; whether they are the authors&#39; is not known" in page
    assert "texts: encoder" not in page


def test_a_setting_that_the_import_was_checked_against_makes_it_stale(work: Path, shift: Path, shift_val: Path) -> None:
    call("-w", work, "import", "features", shift, shift_val)
    shown = call("-w", work, "status", "--set", "dataset.split=ntu60-synse-48-12").stdout
    assert "dataset.split changed" in shown
    assert "since the import" in shown


def test_what_was_imported_is_not_written_over_unless_forced(tiny_run: TinyRun, tmp_path: Path) -> None:
    copy = tmp_path / "work"
    shutil.copytree(tiny_run.root, copy, symlinks=True)
    rewrite_record(copy / "features/val.h5", {"stage": "import"})
    before = (copy / "features/val.h5").read_bytes()
    for command in (["run"], ["extract"]):
        result = call("-w", copy, *command)
        assert result.exit_code == 1
        assert "features/val.h5 was imported, and extract would write over it" in result.stderr
        assert "--force extract" in result.stderr
    assert (copy / "features/val.h5").read_bytes() == before
    assert call("-w", copy, "extract", "--force").exit_code == 0
    assert read_record(copy / "features/val.h5")["stage"] == "extract"


def test_a_phase_that_was_not_imported_is_named(work: Path, tmp_path: Path, shift: Path) -> None:
    result = call("-w", work, "import", "features", shift)
    assert result.exit_code == 0
    assert "train needs the val phase too" in result.stdout
    call("-w", work, "import", "text", *Published().write_text(tmp_path / "text"))
    trained = call("-w", work, "train", *QUICK)
    assert trained.exit_code == 1
    assert "features/val.h5" in trained.stderr
    shown = call("-w", work, "status").stdout
    assert "no features/val.h5 (features/test.h5 was imported; import that one too)" in shown
    assert "`fsvae-pipe import` takes" in call("-w", work, "run").stderr
    assert "import" in trained.stderr


def test_val_clips_that_may_be_test_clips_are_told(work: Path, tmp_path: Path) -> None:
    even = Published(train_clips=4)
    folders = even.write_test(tmp_path / "t"), even.write_val(tmp_path / "v")
    result = call("-w", work, "import", "features", *folders)
    assert result.exit_code == 0
    assert "test part's own clips" in " ".join(result.stderr.split())


def test_the_same_is_told_when_folders_are_imported_one_by_one_and_with_the_results(work: Path, tmp_path: Path) -> None:
    even = Published(val_clips=4)  # of each seen action, as many as the test part has
    assert call("-w", work, "import", "features", even.write_test(tmp_path / "t")).stderr == ""
    result = call("-w", work, "import", "features", even.write_val(tmp_path / "v"))
    assert "test part's own clips" in " ".join(result.stderr.split())
    call("-w", work, "import", "text", *even.write_text(tmp_path / "text"))
    ran = call("-w", work, "run", *QUICK)
    assert "test part's own clips" in " ".join(ran.output.split())
    results = json.loads((work / "runs/default/results.json").read_text())
    assert results["caveats"] == [LOOKS_AT_TEST_CLIPS]


@pytest.mark.parametrize("phase", ["test", "val"])
def test_every_file_of_a_folder_is_needed(work: Path, shift: Path, shift_val: Path, phase: str) -> None:
    folder = {"test": shift, "val": shift_val}[phase]
    for path in sorted(folder.iterdir()):
        away = path.rename(path.with_suffix(".away"))
        message = refused(work, "features", folder)
        assert path.name in message
        away.rename(path)
    assert call("-w", work, "import", "features", folder).exit_code == 0


def test_broken_files_are_named(work: Path, shift: Path) -> None:
    for path in sorted(shift.iterdir()):
        whole = path.read_bytes()
        for broken in (whole[:-1], whole[:40], b"", b"no array at all", whole.replace(b"'shape': (", b"'shape': (9")):
            path.write_bytes(broken)
            assert str(path) in refused(work, "features", shift)
        np.save(path, np.array([{"a": 1}]))  # an object array is a pickle inside
        assert str(path) in refused(work, "features", shift)
        path.write_bytes(whole)
    assert call("-w", work, "import", "features", shift).exit_code == 0


def test_values_that_can_not_be_are_refused(work: Path, shift: Path) -> None:
    def changed(name: str, change: object) -> str:
        path = shift / name
        before = np.load(path)
        np.save(path, change(before.copy()))  # type: ignore[operator]
        message = refused(work, "features", shift)
        np.save(path, before)
        assert name in message
        return message

    def with_nan(array: np.ndarray) -> np.ndarray:
        array[3, 1] = np.nan
        return array

    def one_more_a012(labels: np.ndarray) -> np.ndarray:
        labels[np.flatnonzero(labels == 10)[0]] = 11
        return labels

    assert "NaN" in changed("gtest.npy", with_nan)
    assert "NaN" in changed("gtest_out.npy", with_nan)
    assert "A061" in changed("g_label.npy", lambda labels: labels + 1)
    assert "no clip of A011" in changed("z_label.npy", lambda labels: np.where(labels == 10, 11, labels))
    assert "number of clips of A011, A012" in changed("z_label.npy", one_more_a012)
    assert "class index" in changed("train_label.npy", lambda labels: labels - 1)
    assert "class index" in changed("train_label.npy", lambda labels: labels + 0.5)
    assert "rows" in changed("train_label.npy", lambda labels: labels[:-1])
    assert "A011" in changed("train_label.npy", lambda labels: np.r_[10, labels[1:]])
    assert "no clip of A001" in changed("train_label.npy", lambda labels: np.where(labels == 0, 1, labels))
    assert "backbone" in changed("ztest.npy", lambda features: features + 1)
    assert "width" in changed("ztest.npy", lambda features: features[:, :-1])
    assert "59 columns" in changed("gtest_out.npy", lambda logits: logits[:, :-1])
    assert "probabilities" in changed("gtest_out.npy", lambda logits: np.full_like(logits, 1 / 60))
    assert "shape" in changed("train.npy", lambda features: features[0])


def test_the_folder_of_another_split_is_refused(work: Path, shift: Path) -> None:
    message = refused(work, "features", shift, "--set", "dataset.split=ntu60-synse-48-12")
    assert "another split" in message


def test_logits_of_the_seen_actions_alone_are_taken_in_their_order(work: Path, shift: Path) -> None:
    path = shift / "gtest_out.npy"
    seen = [action - 1 for action in range(1, 61) if action not in UNSEEN]
    np.save(path, np.load(path)[:, seen])
    assert call("-w", work, "import", "features", shift).exit_code == 0
    assert (read_features(work / "features/test.h5").logit_actions - 1).tolist() == seen


def test_logits_in_another_order_are_warned_of(work: Path, shift: Path) -> None:
    path = shift / "gtest_out.npy"
    np.save(path, np.load(path)[:, ::-1])
    result = call("-w", work, "import", "features", shift)
    assert result.exit_code == 0
    assert "in the order of the actions" in " ".join(result.stderr.split())


def test_two_folders_of_one_phase_and_no_folder_are_refused(work: Path, tmp_path: Path, shift: Path) -> None:
    assert "both hold the test phase" in refused(work, "features", shift, shift)
    assert "no such folder" in refused(work, "features", tmp_path / "none")
    assert "gtest.npy" in refused(work, "features", tmp_path)


def test_text_levels_are_told_by_name_or_by_hand(work: Path, tmp_path: Path) -> None:
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
    assert "one file a level" in refused(work, "text", label, dictionary, motion, f"label={label}")
    assert "LEVEL=FILE" in refused(work, "text", label.rename(tmp_path / "words.npy"))
    np.save(label, np.ones((120, 8)))
    assert "60 actions" in refused(work, "text", label, dictionary, motion)
    np.save(label, np.eye(60, 59))
    assert "row 59 is all zero" in refused(work, "text", label, dictionary, motion)


def test_a_backbone_that_knows_unseen_actions_is_told(work: Path, shift: Path) -> None:
    path = shift / "gtest_out.npy"
    logits, labels = np.load(path), np.load(shift / "g_label.npy")
    logits[labels == 10, 10] = 1e6
    np.save(path, logits)
    result = call("-w", work, "import", "features", shift)
    assert result.exit_code == 0
    assert "recognises A011, so it was trained on unseen actions" in " ".join(result.stderr.split())
    record = read_record(work / "features/test.h5")
    assert (record["transfer"], record["backbone_saw"]) == ("true", '["A011"]')


def test_the_val_folder_of_a_custom_split_needs_the_test_folder_first(work: Path, shift: Path, shift_val: Path) -> None:
    custom = [
        "--set", "dataset.split=custom",
        "--set", f"dataset.unseen={[f'A{action:03d}' for action in UNSEEN]}",
        "--set", f"dataset.val_unseen={[f'A{action:03d}' for action in VAL_UNSEEN]}",
    ]  # fmt: skip
    assert "import its folder first" in refused(work, "features", shift_val, *custom)
    assert call("-w", work, "import", "features", shift, *custom).exit_code == 0
    assert call("-w", work, "import", "features", shift_val, *custom).exit_code == 0


def test_ztest_of_the_test_phase_may_be_left_out(work: Path, shift: Path) -> None:
    np.save(shift / "ztest.npy", np.load(shift / "ztest.npy") + 1)
    assert "without ztest.npy and z_label.npy can be imported" in refused(work, "features", shift)
    (shift / "ztest.npy").unlink()
    assert "ztest.npy: no such file" in refused(work, "features", shift)
    (shift / "z_label.npy").unlink()
    assert call("-w", work, "import", "features", shift).exit_code == 0
    assert "shift_5_r/ztest.npy" not in json.loads(read_record(work / "features/test.h5")["inputs"])
