"""`fsvae-pipe report`: the contents of the page, what it says about missing files, and which runs are refused."""

import json
import re
import shutil
import sys
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest
from click.testing import CliRunner, Result

from data.stores.text_store import read_text_features, write_text_features
from pipeline.cli.main import main
from pipeline.exchange.import_text import import_text
from pipeline.report.latent_map import SHOWN_CLIPS
from pipeline.report.run_data import read_run
from pipeline.report.sections import SECTIONS
from pipeline.report.tables import commands
from pipeline.workspace.folder import Workspace
from pipeline.workspace.provenance import json_fingerprint
from tests.shared.made_features import Made, made_workspace
from tests.shared.made_report import LARGEST_BYTES, MADE, SETTINGS, run_stages


def call(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def test_the_page_holds_every_section_escapes_labels_and_stays_small(report_page: Path) -> None:
    text = report_page.read_text("utf-8")
    for key, title, *_ in SECTIONS:
        assert f'<section id="{key}">\n<h2>{title}</h2>' in text
    assert "<img src=x" not in text
    assert "&lt;img src=x onerror=alert(1)&gt;" in text
    assert report_page.stat().st_size < LARGEST_BYTES
    assert "default-src &#39;none&#39;" in text or "default-src 'none'" in text
    assert str(report_page.parents[3]) not in text.replace(str(report_page.parents[2]), "")


def test_the_page_has_what_it_takes_to_run_again(report_page: Path, scored_work: Path) -> None:
    text = report_page.read_text("utf-8")
    assert "steps_per_cycle = 60" in text
    assert "fsvae-pipe -w WORK run --run default" in text
    assert f"numpy=={np.__version__}" in text
    assert "A001,action number 1," in text
    run = read_run("default", Workspace(scored_work))
    for given, named in (({"raw": ["clips"], "manifest": "clips.csv"}, "dataset.raw and dataset.manifest"), ({}, "")):
        dataset = {**run.results["config"]["dataset"], "raw": [], "manifest": "", "descriptions": "", **given}
        changed = replace(run, results={**run.results, "config": {**run.results["config"], "dataset": dataset}})
        files = f", and the files that its {named} name" if named else ""
        assert f"# in WORK: the config.toml below{files}:\n" in commands(changed)


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("runs/default/predictions.h5", "predictions.h5: no such file"),
        ("runs/default/history.csv", "history.csv: no such file"),
        ("runs/default/model.safetensors", "model.safetensors"),
        ("runs/default/config.toml", "config.toml"),
        ("text.h5", "text.h5"),
        ("skeletons.h5", "Clips can&#39;t be shown"),
        ("features/test.h5", "features/test.h5"),
    ],
)
def test_the_page_says_which_file_is_missing_and_shows_the_rest(
    scored_work: Path, tmp_path: Path, name: str, reason: str
) -> None:
    copy = copied(scored_work, tmp_path / "work")
    (copy / name).unlink()
    done = call("-w", copy, "report")
    assert done.exit_code == 0, done.output
    text = (copy / "runs" / "default" / "report.html").read_text("utf-8")
    reasons = re.findall(r'<p class="(?:missing|warning)">(.*?)</p>', text, re.DOTALL) + re.findall(
        r"<pre.*?</pre>", text
    )
    assert any(reason in shown for shown in reasons), reasons
    assert "Every rule" in text


def copied(scored_work: Path, copy: Path) -> Path:
    """A copy of the workspace that has no report and no raw clips."""
    shutil.copytree(scored_work, copy, ignore=shutil.ignore_patterns("raw", "report.html"))
    return copy


def missing_of(page: str) -> str:
    return " ".join(re.findall(r'<p class="missing">(.*?)</p>', page, re.DOTALL))


def test_imported_texts_have_nothing_to_show_and_the_page_says_so(scored_work: Path, tmp_path: Path) -> None:
    copy = copied(scored_work, tmp_path / "work")
    context = read_run("default", Workspace(copy)).context
    for prefix in ("lb", "md", "ad"):
        np.save(tmp_path / f"{prefix}_14.npy", np.random.default_rng(3).normal(size=(MADE.actions, MADE.text)))
    import_text(context, [str(path) for path in tmp_path.glob("*_14.npy")])
    done = call("-w", copy, "report")
    assert done.exit_code == 0, done.output
    page = (copy / "runs" / "default" / "report.html").read_text("utf-8")
    assert f"{copy / 'text.h5'} was imported and holds only features, no texts" in missing_of(page)
    assert "descriptions.csv: the texts" not in page
    assert "fsvae-pipe -w WORK run --run default" in page


def test_the_page_says_when_the_texts_lack_levels_that_the_run_used(scored_work: Path, tmp_path: Path) -> None:
    copy = copied(scored_work, tmp_path / "work")
    text = read_text_features(copy / "text.h5")
    label = replace(text, features={"label": text.features["label"]}, texts={"label": text.texts["label"]})
    write_text_features(copy / "text.h5", label, {"stage": "embed-text"})
    done = call("-w", copy, "report")
    assert done.exit_code == 0, done.output
    page = (copy / "runs" / "default" / "report.html").read_text("utf-8")
    assert "text.h5 holds no texts of local, global, which the run used" in missing_of(page)
    assert "action,label\nA001,action number 1\n" in page


def test_the_page_warns_of_a_changed_input(scored_work: Path, tmp_path: Path) -> None:
    copy = copied(scored_work, tmp_path / "work")
    with h5py.File(copy / "text.h5", "r+") as file:
        file.attrs["fingerprint"] = "another"
    assert call("-w", copy, "report").exit_code == 0
    text = (copy / "runs" / "default" / "report.html").read_text("utf-8")
    assert "text.h5 changed since the run was scored" in text


def test_several_runs_stand_side_by_side(scored_work: Path, tmp_path: Path) -> None:
    copy = copied(scored_work, tmp_path / "work")
    shutil.copytree(copy / "runs" / "default", copy / "runs" / "second")
    done = call("-w", copy, "report", "default", "second")
    assert done.stdout == f"wrote {copy / 'report.html'}\n"
    text = (copy / "report.html").read_text("utf-8")
    assert text.count("<h3>second</h3>") == 1 + len(SECTIONS)
    other = call("report", scored_work / "runs" / "default", copy / "runs" / "second", "-o", tmp_path / "both.html")
    assert other.exit_code == 0, other.output
    assert f"<h3>{copy / 'runs' / 'second'}</h3>" in (tmp_path / "both.html").read_text("utf-8")


def test_on_a_published_split_the_published_results_stand_beside(scored_work: Path, tmp_path: Path) -> None:
    copy = copied(scored_work, tmp_path / "work")
    path = copy / "runs" / "default" / "results.json"
    results = json.loads(path.read_text())
    results["split"]["name"] = "ntu60-synse-55-5"
    results["provenance"]["fingerprint"] = json_fingerprint(results)
    path.write_text(json.dumps(results))
    assert call("-w", copy, "report").exit_code == 0
    text = (copy / "runs" / "default" / "report.html").read_text("utf-8")
    assert "Beside the published results" in text
    assert "FS-VAE" in text
    assert "<li>TDSM: backbone: " in text
    assert "Not as in the paper" in text


def test_a_run_that_is_not_there_or_not_scored_is_an_error(scored_work: Path, tmp_path: Path) -> None:
    result = call("-w", scored_work, "report", "other")
    assert result.exit_code == 1
    assert "finished runs are default" in result.stderr
    assert f"`fsvae-pipe -w {scored_work} run --run other`" in result.stderr
    broken = tmp_path / "runs" / "default"
    broken.mkdir(parents=True)
    (broken / "results.json").write_text('{"mean": {}}')
    result = call("-w", tmp_path, "report")
    assert result.exit_code == 1
    assert "does not say how it was made" in result.stderr
    assert not (broken / "report.html").exists()


def test_without_plotly_the_extra_is_named(scored_work: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.startswith(("plotly", "pipeline.report."))]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "plotly", None)
    result = call("-w", scored_work, "report")
    assert result.exit_code == 1
    assert "pip install 'fsvae-pipe[report]'" in result.stderr


@pytest.mark.slow
def test_a_run_of_20_000_test_clips_is_sampled_and_says_so(tmp_path: Path) -> None:
    made = Made(actions=120, unseen=tuple(range(5, 125, 12)), val_unseen=(2, 9, 14), train_clips=5, test_clips=167)
    settings = {**SETTINGS, "train.seeds": [1], "train.cycles": 1}
    context = made_workspace(tmp_path, made, settings)
    run_stages(context, "train", "evaluate")
    assert call("-w", tmp_path, "report").exit_code == 0
    page = tmp_path / "runs" / "default" / "report.html"
    assert page.stat().st_size < LARGEST_BYTES
    assert f"{2 * SHOWN_CLIPS} of {120 * 167} test clips, drawn at random" in page.read_text("utf-8")
