"""Where clips with known answers are named hardly better than by a guess, it is said wherever an answer is read."""

import csv
import io
import json
import os
import re
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result

from data.raw.skeleton_file import format_clip, parse_clip
from data.raw.sources import find_clips
from data.stores import h5
from data.stores.feature_store import read_features, write_features
from pipeline.cli.main import main
from pipeline.recognizer import Recognizer
from tests.conftest import TinyRun, lay_out
from tests.shared.import_command import QUICK
from tests.shared.made_published import Published
from tests.shared.rewritten import rewrite_record

RIDGE = ("--set", "model.aligner=ridge")  # trains in no time
GIVEN = ("--set", "backbone.weights=own.safetensors")
GUESS = "the backbone of the test phase is hardly better than a guess: its logits name the right action for"
MILLIMETRES = re.compile(r"the bodies of these clips measure 1\d{3} m from end to end .*, which is no person's size")


def call(root: Path, *arguments: str | Path) -> Result:
    return CliRunner().invoke(main, ["-w", str(root), *map(str, arguments)])


def one_line(text: str) -> str:
    return " ".join(text.split())


def results(root: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((root / "runs" / "default" / "results.json").read_text("utf-8"))
    return found


def in_millimetres(raw: Path, folder: Path) -> None:
    """Write the whole clips of `raw` to `folder`, a thousand times as large."""
    folder.mkdir(parents=True)
    for name, source in find_clips([raw / "setup1", raw / "setup2.zip"])[0]:
        if "R09" not in str(name):  # these are broken on purpose
            joints = parse_clip(source.read(), str(source)).joints
            (folder / f"{name}.skeleton").write_bytes(format_clip(1000 * joints))


@pytest.fixture(scope="module")
def millimetres(tmp_path_factory: pytest.TempPathFactory, tiny_run: TinyRun, tiny_workspace_config: str) -> Path:
    """A run on the tiny clips in millimetres, with the backbone that was trained on them in metres."""
    root = tmp_path_factory.mktemp("millimetres") / "work"
    in_millimetres(tiny_run.root / "raw", root.parent / "raw" / "setup1")
    config = tiny_workspace_config.replace('raw = ["raw/setup1", "raw/setup2.zip"]', 'raw = ["raw/setup1"]')
    lay_out(root, root.parent / "raw", config)
    shutil.copy(tiny_run.root / "backbones" / "test.safetensors", root / "own.safetensors")
    done = call(root, "run", *RIDGE, *GIVEN)
    assert done.exit_code == 0, done.output
    (root / "said.txt").write_text(done.stderr, "utf-8")
    (root / "shown.txt").write_text(done.stdout, "utf-8")
    return root


def test_a_given_checkpoint_on_clips_in_millimetres_is_told_at_once(millimetres: Path) -> None:
    said = one_line((millimetres / "said.txt").read_text("utf-8"))
    before, extracted = said.split("extract: missing")
    assert MILLIMETRES.search(before)  # preprocess says it
    assert GUESS in extracted
    assert MILLIMETRES.search(extracted[extracted.index(GUESS) :])


def test_a_result_like_a_guess_says_so_in_the_file_the_table_and_the_report(millimetres: Path) -> None:
    found = results(millimetres)
    (warning,) = (caveat for caveat in found["caveats"] if caveat.startswith(GUESS))
    assert MILLIMETRES.search(warning)
    assert warning in found["warnings"]
    assert f"warning: {warning}" in one_line((millimetres / "shown.txt").read_text("utf-8"))
    assert call(millimetres, "report").exit_code == 0
    page = (millimetres / "runs" / "default" / "report.html").read_text("utf-8")
    assert GUESS[1:] in page  # with a capital there


def test_predict_says_it_with_every_answer(millimetres: Path, capsys: pytest.CaptureFixture[str]) -> None:
    clip = next((millimetres / "raw" / "setup1").iterdir())
    table, as_json, as_csv = (call(millimetres, "predict", clip, *form) for form in ((), ("--json",), ("--csv",)))
    for done in (table, as_json, as_csv):
        assert done.exit_code == 0, done.output
        assert f"warning: {GUESS}" in one_line(done.stderr)
    assert f"warning: {GUESS}" in one_line(table.stdout)
    *about_the_run, about_the_clip = json.loads(as_json.stdout)["warnings"]
    assert about_the_run == results(millimetres)["warnings"]
    assert about_the_clip.startswith("the body measures")
    for row in csv.DictReader(io.StringIO(as_csv.stdout)):
        assert row["warnings"].startswith(GUESS)
    recognizer = Recognizer.load(millimetres / "runs" / "default")
    assert GUESS in capsys.readouterr().err
    assert recognizer.run.warnings[0].startswith(GUESS)


def test_predict_measures_where_results_were_written_before_they_held_warnings(millimetres: Path) -> None:
    path = millimetres / "runs" / "default" / "results.json"
    whole = path.read_bytes()
    tree = json.loads(whole)
    del tree["warnings"], tree["provenance"]["fingerprint"]
    path.write_text(json.dumps(tree), "utf-8")
    done = call(millimetres, "predict", next((millimetres / "raw" / "setup1").iterdir()))
    path.write_bytes(whole)
    assert f"warning: {GUESS}" in one_line(done.stderr)


def test_an_exported_model_says_it_too(millimetres: Path, tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime")
    pytest.importorskip("onnx")
    done = call(millimetres, "export", tmp_path / "model")
    assert done.exit_code == 0, done.output
    assert f"warning: {GUESS}" in one_line(done.stderr)
    assert json.loads((tmp_path / "model" / "model.json").read_text("utf-8"))["warnings"][0].startswith(GUESS)
    clip = next((millimetres / "raw" / "setup1").iterdir())
    command = [sys.executable, str(tmp_path / "model" / "run_onnx.py"), str(tmp_path / "model"), str(clip)]
    ran = subprocess.run(command, env=dict(os.environ), capture_output=True, text=True, check=True)
    assert f"warning: {GUESS}" in ran.stderr


def test_a_sweep_and_feature_folders_say_it_too(millimetres: Path, tmp_path: Path) -> None:
    grid = tmp_path / "mine.toml"
    grid.write_text('[rows]\n"one level" = { "text.levels" = ["label"] }\n', "utf-8")
    swept = call(millimetres, "sweep", grid, *RIDGE, *GIVEN)
    assert swept.exit_code == 0, swept.output
    assert f"warning: {GUESS}" in one_line(swept.stdout)
    with (millimetres / "sweeps" / "mine.csv").open(encoding="utf-8", newline="") as file:
        assert all(GUESS in row["caveats"] for row in csv.DictReader(file))
    exported = call(millimetres, "export", tmp_path / "features", "--features", *GIVEN)
    assert exported.exit_code == 0, exported.output
    assert f"warning: {GUESS}" in one_line(exported.stderr)


def test_a_given_checkpoint_on_its_own_clips_gets_no_word(tiny_run: TinyRun, tmp_path: Path) -> None:
    root = tmp_path / "work"
    shutil.copytree(tiny_run.root, root, symlinks=True)
    shutil.copy(root / "backbones" / "test.safetensors", root / "own.safetensors")
    done = call(root, "run", *RIDGE, *GIVEN)
    assert done.exit_code == 0, done.output
    assert "a guess" not in done.output
    assert results(root)["warnings"] == []
    clip = sorted((root / "raw" / "setup1").glob("*R001*"))[0]
    shown = call(root, "predict", clip, "--csv")
    assert "warning:" not in shown.output
    assert {row["warnings"] for row in csv.DictReader(io.StringIO(shown.stdout))} == {""}


def import_and_run(work: Path, folders: list[Path], tmp_path: Path) -> tuple[Result, Result]:
    imported = call(work, "import", "features", *folders)
    assert imported.exit_code == 0, imported.output
    assert call(work, "import", "text", *Published().write_text(tmp_path / "text")).exit_code == 0
    ran = call(work, "run", *QUICK, *RIDGE)
    assert ran.exit_code == 0, ran.output
    return imported, ran


def test_imported_logits_in_another_order_are_told_from_the_import_to_the_report(
    work: Path, tmp_path: Path, shift: Path, shift_val: Path
) -> None:
    np.save(shift / "gtest_out.npy", np.load(shift / "gtest_out.npy")[:, ::-1])
    imported, ran = import_and_run(work, [shift, shift_val], tmp_path)
    (caveat,) = results(work)["warnings"]
    assert caveat.startswith(GUESS)
    assert "seen accuracy, the gate and H mean nothing: the columns of the logits" in caveat
    assert caveat in results(work)["caveats"]
    for screen in (imported.stderr, ran.stdout):
        assert caveat in one_line(screen)
    assert call(work, "report").exit_code == 0
    assert GUESS[1:] in (work / "runs" / "default" / "report.html").read_text("utf-8")


def test_what_an_earlier_import_did_not_write_down_is_measured(
    work: Path, tmp_path: Path, shift: Path, shift_val: Path
) -> None:
    seen, row = np.unique(np.load(shift / "train_label.npy"), return_inverse=True)
    np.save(shift / "train_label.npy", np.roll(seen, 1)[row])
    import_and_run(work, [shift, shift_val], tmp_path)
    (caveat,) = results(work)["warnings"]
    assert "its features lie nearest to the mean of the right action for" in caveat
    assert "no result means anything: the rows of features and of labels" in caveat
    rewrite_record(work / "features" / "test.h5", {}, without=("warnings",))
    assert call(work, "evaluate", "--force", *QUICK, *RIDGE).exit_code == 0
    assert results(work)["warnings"] == [caveat]


@pytest.mark.parametrize("name", ["train", "gtest"])
def test_features_of_zeros_are_refused_at_import(work: Path, shift: Path, name: str) -> None:
    np.save(shift / f"{name}.npy", 0 * np.load(shift / f"{name}.npy"))
    done = call(work, "import", "features", shift)
    assert done.exit_code == 1
    said = one_line(done.stderr)
    assert f"{shift / name}.npy: the features of all" in said
    assert "clips are zero, so that no action can be told from another" in said


@pytest.mark.parametrize("value", [0, 1])
def test_features_that_are_all_the_same_are_refused_by_train(tiny_run: TinyRun, tmp_path: Path, value: int) -> None:
    root = tmp_path / "work"
    shutil.copytree(tiny_run.root, root, symlinks=True)
    path = root / "features" / "val.h5"
    features, record = read_features(path), h5.read_record(path)
    write_features(path, replace(features, features=np.full_like(features.features, value)), record)
    for command in ("train", "evaluate"):
        done = call(root, command, "--force", *RIDGE)
        assert done.exit_code == 1
        said = one_line(done.stderr)
        kind = "equal" if value else "zero"
        assert f"features/val.h5: in one part the features of all 40 clips are {kind}, so that no action can" in said


def test_clips_with_the_features_of_another_action_are_counted(
    work: Path, tmp_path: Path, shift: Path, shift_val: Path
) -> None:
    features = np.load(shift / "train.npy")
    features[::4] = features[0]
    np.save(shift / "train.npy", features)
    imported, _ = import_and_run(work, [shift, shift_val], tmp_path)
    (caveat,) = results(work)["warnings"]
    assert re.search(r"1\d\d of 680 clips of the test phase have exactly the features of a clip of another", caveat)
    assert caveat in one_line(imported.stderr)
