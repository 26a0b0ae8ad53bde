"""Results that an earlier version of this program wrote are a clear message, not a traceback."""

import json
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner

from pipeline.cli.main import main
from tests.conftest import TinyRun


@pytest.mark.parametrize("command", ["predict", "export", "report"])
def test_results_without_a_rule_of_now_are_named_with_what_makes_them_anew(
    tiny_run: TinyRun, tmp_path: Path, command: str
) -> None:
    root = Path(shutil.copytree(tiny_run.root, tmp_path / "work", symlinks=True))
    path = root / "runs" / "default" / "results.json"
    results = json.loads(path.read_text("utf-8"))
    results["selection"] = "val"
    for tree in (results["mean"], results["std"], *results["seeds"].values()):
        del tree["mean"]
    del results["provenance"]["fingerprint"]  # that of the whole file
    path.write_text(json.dumps(results), "utf-8")
    arguments = {"predict": [root / "raw" / "setup1"], "export": [tmp_path / "model"], "report": []}[command]
    done = CliRunner().invoke(main, ["-w", str(root), command, *map(str, arguments)])
    assert done.exit_code == 1
    assert "results.json was written by an earlier version of this program" in " ".join(done.stderr.split())
    assert "run --run default" in " ".join(done.stderr.split())
