"""`fsvae-pipe reproduce` on made clips: what is shared, what is kept, what fails, and the tables."""

import csv
import json
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from pipeline.cli.main import main
from pipeline.workspace.folder import Workspace
from tests.faults.kill_scenes import program
from tests.pipeline.cluster.by_hand import started
from tests.pipeline.study.conftest import MadeStudy


def command(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


@pytest.fixture
def study(made_study: MadeStudy, tmp_path: Path) -> Path:
    """A copy to change."""
    shutil.copytree(made_study.root, tmp_path / "study", symlinks=True)
    return tmp_path / "study"


def test_clips_are_read_once_and_texts_are_embedded_once(made_study: MadeStudy) -> None:
    lines = made_study.stderr.splitlines()
    assert sum(line.startswith("preprocess: done") for line in lines) == 1
    assert sum(line.startswith("embed-text: done") for line in lines) == 1
    assert sum(line.startswith("extract: done") for line in lines) == 2
    assert sum(line.startswith("evaluate: done") for line in lines) == 4
    assert len(list(made_study.root.rglob("skeletons.h5"))) == len(list(made_study.root.rglob("text.h5"))) == 1


def test_the_table_has_every_split_and_their_mean(made_study: MadeStudy) -> None:
    with (made_study.root / "table.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == (2 + 1) * 2 * 4  # splits and their mean, presets, rules
    chosen = [row for row in rows if (row["preset"], row["rule"]) == ("released", "val")]
    *single, mean = chosen
    assert {row["headline"] for row in chosen} == {"yes"}
    assert [row["split"] for row in single] == ["random-1", "random-2"]
    assert (mean["split"], mean["sets"], mean["spread_is"]) == (
        "2 random sets of 2 unseen", "2", "standard error over sets",
    )  # fmt: skip
    numbers = [float(row["zsl_top1"]) for row in single]
    average = sum(numbers) / 2
    error = (sum((number - average) ** 2 for number in numbers) / 2) ** 0.5
    assert float(mean["zsl_top1"]) == pytest.approx(average)
    assert float(mean["zsl_top1_spread"]) == pytest.approx(error)
    results = json.loads((made_study.root / "tiny/random-2/runs/released/results.json").read_text("utf-8"))
    assert float(single[1]["h"]) == results["mean"]["val"]["gzsl"]["h"]
    assert float(single[1]["h_spread"]) == results["std"]["val"]["gzsl"]["h"]
    assert len({row["unseen_actions"] for row in single}) == 2


def test_the_tables_are_on_the_screen_and_in_latex(made_study: MadeStudy) -> None:
    assert "tiny, 2 random sets of 2 unseen" in made_study.stdout
    assert "here: released, oracle" in made_study.stdout
    tex = (made_study.root / "table.tex").read_text("utf-8")
    assert tex.count("\\begin{table*}") == tex.count("\\end{table*}") == 2
    assert "$\\pm$" in tex
    assert "±" not in tex
    for line in tex.splitlines():
        assert not line.endswith("\\\\") or line.count(" & ") == 1


def test_what_is_fresh_is_kept(study: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in study.rglob("*.safetensors")}
    table = (study / "table.csv").read_bytes()
    done = command("-w", study, "reproduce")
    assert done.exit_code == 0, done.output
    assert "done in" not in done.stderr
    assert {path: path.stat().st_mtime_ns for path in study.rglob("*.safetensors")} == before
    assert (study / "table.csv").read_bytes() == table


def test_a_moved_study_is_up_to_date(study: Path, tmp_path: Path) -> None:
    status = command("-w", study.rename(tmp_path / "elsewhere"), "status")
    assert status.stdout.splitlines()[-1] == "every run is up to date"
    assert command("-w", tmp_path / "elsewhere", "status", "--quiet").exit_code == 0


def test_status_says_what_a_change_makes_stale(study: Path) -> None:
    file = study / "study.toml"
    file.write_text(file.read_text("utf-8").replace("cycles = 1", "cycles = 2"), "utf-8")
    lines = command("-w", study, "status").stdout.splitlines()
    assert [line.split()[:2] for line in lines[:2]] == [["tiny", "done"], ["tiny/random-1", "done"]]
    assert lines[2].split()[:3] == ["tiny/random-1", "default", "stale"]
    assert "train.cycles changed from 1 to 2" in lines[2]
    assert lines[-1] == "0 of 4 runs are up to date"
    assert command("-w", study, "status", "--quiet").exit_code == 1
    states = json.loads(command("-w", study, "status", "--json").stdout)
    assert {state["state"] for state in states if state["preset"]} == {"stale"}


def test_what_fails_does_not_stop_the_others(study: Path) -> None:
    broken = study / "tiny" / "random-2" / "runs" / "default"
    shutil.rmtree(broken)
    broken.write_text("a file where a folder should be")
    shutil.rmtree(study / "tiny" / "random-2" / "runs" / "released")
    done = command("-w", study, "reproduce")
    assert done.exit_code == 1
    assert "1 part of the study failed, the first: tiny/random-2 default: " in " ".join(done.stderr.split())
    assert (study / "tiny/random-2/runs/released/results.json").is_file()
    assert "(1 of 2 sets)" in done.stdout
    assert "warning: tiny/random-2 default: no result:" in done.stdout


def test_names_limit_the_work(study: Path) -> None:
    for split in ("random-1", "random-2"):
        (study / "tiny" / split / "runs/default/results.json").unlink()
    done = command("-w", study, "reproduce", "tiny/random-1")
    assert done.exit_code == 0, done.output
    assert (study / "tiny/random-1/runs/default/results.json").is_file()
    assert not (study / "tiny/random-2/runs/default/results.json").exists()
    refused = command("-w", study, "reproduce", "random-3")
    assert refused.exit_code == 2
    assert 'no data set or split "random-3"; it has tiny' in refused.stderr


def test_an_edited_config_is_written_again_and_said(study: Path) -> None:
    config = study / "tiny" / "random-1" / "config.toml"
    original = config.read_text("utf-8")
    config.write_text(original.replace("cycles = 1", "cycles = 3"), "utf-8")
    done = command("-w", study, "reproduce", "random-1")
    assert "written again, because study.toml says otherwise: train.cycles" in " ".join(done.stderr.split())
    assert config.read_text("utf-8") == original


def test_other_commands_work_on_the_workspace_of_a_split(study: Path) -> None:
    split = study / "tiny" / "random-1"
    assert "every stage is up to date" in command("-w", split, "status").stdout
    clip = min((study / "raw" / "setup1").glob("*.skeleton"))
    assert command("-w", split, "predict", "--run", "released", clip).exit_code == 0
    done = command("-w", study, "train")
    assert done.exit_code == 2
    assert "is a study, not a workspace" in " ".join(done.stderr.split())


def test_the_page_links_to_the_report_of_each_run(study: Path) -> None:
    page = study / "report.html"
    assert "report.html" not in page.read_text("utf-8")
    for run in ("random-1/runs/default", "random-2/runs/default", "random-2/runs/released"):
        shutil.rmtree(study / "tiny" / run)  # a report takes seconds, so that only one is made here
    done = command("-w", study, "report")
    assert done.exit_code == 0, done.output
    assert done.stdout == f"wrote {page}\n"
    text = page.read_text("utf-8")
    assert '<a href="tiny/random-1/runs/released/report.html">' in text
    assert (study / "tiny/random-1/runs/released/report.html").is_file()
    assert "<script" not in text


@pytest.mark.slow
def test_a_cluster_one_of_whose_workers_is_killed_gives_the_same_tables(study: Path, tmp_path: Path) -> None:
    tables = [study / "table.csv", study / "table.tex"]
    before = [path.read_bytes() for path in tables]
    for path in (*tables, *study.rglob("runs/default")):
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    with started(tmp_path / "machines", 2) as machines:
        with (study / "study.toml").open("a", encoding="utf-8") as file:
            file.write(f'\n[cluster]\naddress = "{machines.address}"\n')
        said = []
        with program(Workspace(study), "reproduce") as child:
            assert child.stderr is not None
            for line in map(bytes.decode, child.stderr):
                said.append(line)
                if line.startswith("train: seed 5"):
                    machines.workers[0].kill()
        assert child.returncode == 0, said
    assert f"cluster: 2 workers at {machines.address}\n" in said
    assert [path.read_bytes() for path in tables] == before
