"""`fsvae-pipe import` as a user calls it, and the stages that follow."""

import json
import shutil
from pathlib import Path

import pytest

from pipeline.stages.caveats import LOOKS_AT_TEST_CLIPS
from pipeline.workspace.provenance import read_record
from tests.conftest import TinyRun
from tests.shared.import_command import QUICK, call, states
from tests.shared.made_published import Published
from tests.shared.rewritten import rewrite_record


@pytest.mark.slow
def test_an_import_replaces_stages(work: Path, tmp_path: Path, shift: Path, shift_val: Path) -> None:
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


def test_commands_that_need_clips_or_texts_say_that_imports_have_none(
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
    assert "was imported and holds only features, no texts" in page
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
    assert f"`fsvae-pipe -w {work} import` takes" in call("-w", work, "run").stderr
    assert "import" in trained.stderr


def test_val_clips_that_may_be_test_clips_are_warned_of(work: Path, tmp_path: Path) -> None:
    even = Published(train_clips=4)
    folders = even.write_test(tmp_path / "t"), even.write_val(tmp_path / "v")
    result = call("-w", work, "import", "features", *folders)
    assert result.exit_code == 0
    assert "test part's own clips" in " ".join(result.stderr.split())


def test_the_same_warning_comes_when_folders_are_imported_one_by_one_and_with_results(
    work: Path, tmp_path: Path
) -> None:
    even = Published(val_clips=4)  # of each seen action, as many as the test part has
    assert call("-w", work, "import", "features", even.write_test(tmp_path / "t")).stderr == ""
    result = call("-w", work, "import", "features", even.write_val(tmp_path / "v"))
    assert "test part's own clips" in " ".join(result.stderr.split())
    call("-w", work, "import", "text", *even.write_text(tmp_path / "text"))
    ran = call("-w", work, "run", *QUICK)
    assert "test part's own clips" in " ".join(ran.output.split())
    results = json.loads((work / "runs/default/results.json").read_text())
    looks_at_test_clips, threshold = results["caveats"]
    assert looks_at_test_clips == LOOKS_AT_TEST_CLIPS
    assert threshold.startswith("the gate has the threshold of the val phase")  # nothing is held out
