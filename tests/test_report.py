"""`fsvae-pipe report`: its numbers against the run's files, what it says of missing pieces, the page in a browser."""

import json
import re
import shutil
import sys
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path

import h5py
import numpy as np
import pytest
from click.testing import CliRunner, Result

from data.skeleton_file import format_clip
from data.text_store import read_text_features, write_text_features
from models.backbone_state import EpochReport
from pipeline.cli import main
from pipeline.context import Context
from pipeline.import_text import import_text
from pipeline.provenance import json_fingerprint
from pipeline.report_data import Missing, Predictions, RunData, read_run
from pipeline.report_figures import backbone_learning, class_accuracy, confusion
from pipeline.report_gate import trade_off
from pipeline.report_mistakes import SHOWN, worst_mistakes
from pipeline.report_model import SHOWN_CLIPS, latent_map, read_gains
from pipeline.report_sections import SECTIONS, nearest_texts
from pipeline.stages import stage_named
from pipeline.workspace import Workspace
from tests.chromium import CHROMIUM, MISSING, Page
from tests.made_features import Made, made_workspace
from tests.made_skeletons import moving_clip

LARGEST_BYTES = 12_000_000
HOSTILE = "<img src=x onerror=alert(1)></script> & co"
SETTINGS = {
    "train.seeds": [1, 2],
    "train.cycles": 2,
    "train.steps_per_cycle": 60,
    "train.learning_rate": 1e-3,
    "train.workers": 1,
    "preprocess.workers": 1,
}
MADE = Made(actions=14, unseen=(3, 7, 12), val_unseen=(2, 9), train_clips=10, test_clips=6, noise=0.6)


def call(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def run_stages(context: Context, *stages: str) -> None:
    for stage in stages:
        stage_named(stage).run(context)


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace with a trained and scored run, skeletons of its test clips, and a label that tries to be a script."""
    root = tmp_path_factory.mktemp("report") / "work"
    context = made_workspace(root, MADE, SETTINGS)
    raw = root / "raw"
    raw.mkdir()
    rng = np.random.default_rng(0)
    for action in range(1, MADE.actions + 1):
        for number in range(MADE.train_clips, MADE.train_clips + MADE.test_clips):
            clip = format_clip(moving_clip(rng, 8, bodies=1 + (number == MADE.train_clips)))
            (raw / f"S001C001P001R{number:03d}A{action:03d}.skeleton").write_bytes(clip)
    text = read_text_features(context.workspace.text)
    labels = np.array([HOSTILE if action == 3 else f"action number {action}" for action in text.action])
    record = {"stage": "embed-text", "fingerprint": "made"}
    write_text_features(context.workspace.text, replace(text, texts={**text.texts, "label": labels}), record)
    run_stages(context, "preprocess", "train", "evaluate")
    return root


@pytest.fixture(scope="module")
def run(work: Path) -> RunData:
    return read_run("default", Workspace(work))


@pytest.fixture(scope="module")
def predictions(run: RunData) -> Predictions:
    assert isinstance(run.predictions, Predictions)
    return run.predictions


@pytest.fixture(scope="module")
def page(work: Path) -> Path:
    done = call("-w", work, "report")
    assert done.exit_code == 0, done.output
    assert done.stdout == f"wrote {work / 'runs' / 'default' / 'report.html'}\n"
    return work / "runs" / "default" / "report.html"


def test_the_chosen_threshold_gives_the_accuracies_of_the_results(run: RunData, predictions: Predictions) -> None:
    chosen = np.array([run.config.evaluate.gate.threshold])
    for place, seed in enumerate(run.seeds):
        point = trade_off(predictions, place, chosen)
        scored = run.results["seeds"][str(seed)][run.rule]["gzsl"]
        assert point.seen[0] == pytest.approx(scored["seen"])
        assert point.unseen[0] == pytest.approx(scored["unseen"])
        assert point.h[0] == pytest.approx(scored["h"])


def test_the_trade_off_runs_from_all_unseen_to_all_seen(run: RunData, predictions: Predictions) -> None:
    curve = trade_off(predictions, 0)
    perfect = run.results["seeds"][str(run.seeds[0])][run.rule]["gzsl_oracle_gate"]
    assert (curve.seen[0], curve.unseen[-1]) == (0, 0)
    assert curve.seen[-1] == pytest.approx(perfect["seen"])
    assert curve.unseen[0] == pytest.approx(perfect["unseen"])
    assert (np.diff(curve.seen) >= 0).all()
    assert (np.diff(curve.unseen) <= 0).all()


@pytest.mark.parametrize("kind", ["ZSL", "GZSL"])
def test_confusions_are_those_of_the_predictions_file(
    run: RunData, predictions: Predictions, kind: str, work: Path
) -> None:
    with h5py.File(work / "runs" / "default" / "predictions.h5") as file:
        counts = sum(file[f"{seed}/{run.rule}/{kind.lower()}_confusion"][()] for seed in run.seeds)
    plot = confusion(run, predictions, kind)
    actions = [int(code[1:]) for code in plot.meta["codes"]]
    order = np.argsort(np.argsort(actions))
    np.testing.assert_array_equal(plot.figure.data[0].customdata, counts[np.ix_(order, order)])
    assert plot.figure.data[0].z.sum(axis=1) == pytest.approx(100, abs=0.5)
    if kind == "GZSL":
        assert actions[-3:] == list(MADE.unseen)


def test_accuracy_of_the_classes_averages_to_the_results(run: RunData, predictions: Predictions) -> None:
    accuracy = class_accuracy(predictions, "ZSL")
    assert set(accuracy) == set(MADE.unseen)
    for place, seed in enumerate(run.seeds):
        mean = np.mean([values[place] for values in accuracy.values()])
        assert mean == pytest.approx(run.results["seeds"][str(seed)][run.rule]["zsl"]["per_class"])


def test_the_nearest_text_is_the_nearest(run: RunData) -> None:
    actions = [1, 3, 7, 12]
    text = read_text_features(run.workspace.text)
    rows = np.concatenate([text.features[level] for level in run.config.text.levels], axis=1)[[a - 1 for a in actions]]
    rows = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    for place, action in enumerate(actions):
        others = {other: 1 - rows[place] @ rows[at] for at, other in enumerate(actions) if at != place}
        nearest, distance = nearest_texts(run, actions)[action]
        assert nearest == min(others, key=lambda other: others[other])
        assert distance == pytest.approx(others[nearest], abs=1e-5)


def test_gains_start_as_set_and_are_learnt_a_seed(run: RunData) -> None:
    found = read_gains(run)
    assert found.learnt.shape == (2, MADE.features)
    assert found.start[0] == pytest.approx(1 + run.config.model.frequency.strength)
    assert np.abs(found.learnt - found.start).max() > 1e-4
    assert not np.array_equal(*found.learnt)


def test_both_accuracies_of_the_backbone_are_drawn() -> None:
    reports = [asdict(EpochReport(epoch, 2.0, 40.0, 50.0, 90.0, (50.0,))) for epoch in (1, 2)]
    drawn = {trace.name: list(trace.y) for trace in backbone_learning({"test": reports}).figure.data}
    assert drawn == {"training clips, test phase": [40, 40], "held-out clips, test phase": [50, 50]}


def test_the_map_shows_every_test_clip_and_text_in_the_order_of_variance(
    run: RunData, predictions: Predictions
) -> None:
    found = latent_map(run)
    assert sorted(found.clip) == sorted(predictions.name)
    assert all(clip.endswith(f"A{action:03d}") for clip, action in zip(found.clip, found.clip_action, strict=True))
    assert found.texts.shape == (MADE.actions, 2)
    assert found.clips[:, 0].var() > 0
    assert found.explained[0] >= found.explained[1]


def test_the_worst_mistakes_are_mistakes_each_pair_once(run: RunData, predictions: Predictions) -> None:
    found = worst_mistakes(run)
    place = {str(name): index for index, name in enumerate(predictions.name)}
    given = {"ZSL": predictions.seeds[0].zsl_action, "GZSL": predictions.seeds[0].gzsl_action}
    assert found
    for kind in ("ZSL", "GZSL"):
        of = [mistake for mistake in found if mistake.kind == kind]
        assert len(of) <= SHOWN
        assert len({(m.actual, m.predicted) for m in of}) == len(of)
        surplus = [mistake.wrong - mistake.right for mistake in of]
        assert surplus == sorted(surplus, reverse=True)
        for mistake in of:
            assert mistake.predicted == given[kind][place[mistake.clip]] != mistake.actual
            assert mistake.actual == predictions.action[place[mistake.clip]]
            assert not isinstance(mistake.skeleton, Missing)
            assert mistake.skeleton.name == mistake.clip


def test_the_page_holds_every_section_escapes_labels_and_stays_small(page: Path) -> None:
    text = page.read_text("utf-8")
    for key, title, *_ in SECTIONS:
        assert f'<section id="{key}">\n<h2>{title}</h2>' in text
    assert "<img src=x" not in text
    assert "&lt;img src=x onerror=alert(1)&gt;" in text
    assert page.stat().st_size < LARGEST_BYTES
    assert "default-src &#39;none&#39;" in text or "default-src 'none'" in text
    assert str(page.parents[3]) not in text.replace(str(page.parents[2]), "")


def test_the_page_has_what_it_takes_to_run_again(page: Path, work: Path) -> None:
    text = page.read_text("utf-8")
    assert "steps_per_cycle = 60" in text
    assert "fsvae-pipe -w WORK run --run default" in text
    assert f"numpy=={np.__version__}" in text
    assert "A001,action number 1," in text


@pytest.mark.parametrize(
    ("gone", "said"),
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
def test_a_missing_piece_is_said_and_the_rest_is_there(work: Path, tmp_path: Path, gone: str, said: str) -> None:
    copy = tmp_path / "work"
    shutil.copytree(work, copy, ignore=shutil.ignore_patterns("raw", "report.html"))
    (copy / gone).unlink()
    done = call("-w", copy, "report")
    assert done.exit_code == 0, done.output
    text = (copy / "runs" / "default" / "report.html").read_text("utf-8")
    reasons = re.findall(r'<p class="(?:missing|warning)">(.*?)</p>', text, re.DOTALL) + re.findall(
        r"<pre.*?</pre>", text
    )
    assert any(said in reason for reason in reasons), reasons
    assert "Every rule" in text


def without(work: Path, copy: Path) -> Path:
    shutil.copytree(work, copy, ignore=shutil.ignore_patterns("raw", "report.html"))
    return copy


def missing_of(page: str) -> str:
    return " ".join(re.findall(r'<p class="missing">(.*?)</p>', page, re.DOTALL))


def test_imported_texts_have_nothing_to_show_and_the_page_says_so(work: Path, tmp_path: Path) -> None:
    copy = without(work, tmp_path / "work")
    context = read_run("default", Workspace(copy)).context
    for prefix in ("lb", "md", "ad"):
        np.save(tmp_path / f"{prefix}_14.npy", np.random.default_rng(3).normal(size=(MADE.actions, MADE.text)))
    import_text(context, [str(path) for path in tmp_path.glob("*_14.npy")])
    done = call("-w", copy, "report")
    assert done.exit_code == 0, done.output
    page = (copy / "runs" / "default" / "report.html").read_text("utf-8")
    assert f"{copy / 'text.h5'} holds features alone, no texts: it was imported" in missing_of(page)
    assert "descriptions.csv: the texts" not in page
    assert "fsvae-pipe -w WORK run --run default" in page


def test_fewer_levels_of_texts_than_the_run_used_are_shown_and_told(work: Path, tmp_path: Path) -> None:
    copy = without(work, tmp_path / "work")
    text = read_text_features(copy / "text.h5")
    label = replace(text, features={"label": text.features["label"]}, texts={"label": text.texts["label"]})
    write_text_features(copy / "text.h5", label, {"stage": "embed-text"})
    done = call("-w", copy, "report")
    assert done.exit_code == 0, done.output
    page = (copy / "runs" / "default" / "report.html").read_text("utf-8")
    assert "text.h5 holds no texts of local, global, which the run used" in missing_of(page)
    assert "action,label\nA001,action number 1\n" in page


def test_a_changed_input_is_told_above_the_numbers(work: Path, tmp_path: Path) -> None:
    copy = tmp_path / "work"
    shutil.copytree(work, copy, ignore=shutil.ignore_patterns("raw", "report.html"))
    with h5py.File(copy / "text.h5", "r+") as file:
        file.attrs["fingerprint"] = "another"
    assert call("-w", copy, "report").exit_code == 0
    text = (copy / "runs" / "default" / "report.html").read_text("utf-8")
    assert "text.h5 changed since the run was scored" in text


def test_several_runs_stand_side_by_side(work: Path, tmp_path: Path) -> None:
    copy = tmp_path / "work"
    shutil.copytree(work, copy, ignore=shutil.ignore_patterns("raw", "report.html"))
    shutil.copytree(copy / "runs" / "default", copy / "runs" / "second")
    done = call("-w", copy, "report", "default", "second")
    assert done.stdout == f"wrote {copy / 'report.html'}\n"
    text = (copy / "report.html").read_text("utf-8")
    assert text.count("<h3>second</h3>") == 1 + len(SECTIONS)
    other = call("report", work / "runs" / "default", copy / "runs" / "second", "-o", tmp_path / "both.html")
    assert other.exit_code == 0, other.output
    assert f"<h3>{copy / 'runs' / 'second'}</h3>" in (tmp_path / "both.html").read_text("utf-8")


def test_on_a_published_split_the_published_results_stand_beside(work: Path, tmp_path: Path) -> None:
    copy = tmp_path / "work"
    shutil.copytree(work, copy, ignore=shutil.ignore_patterns("raw", "report.html"))
    path = copy / "runs" / "default" / "results.json"
    results = json.loads(path.read_text())
    results["split"]["name"] = "ntu60-synse-55-5"
    results["provenance"]["fingerprint"] = json_fingerprint(results)
    path.write_text(json.dumps(results))
    assert call("-w", copy, "report").exit_code == 0
    text = (copy / "runs" / "default" / "report.html").read_text("utf-8")
    assert "Beside the published results" in text
    assert "FS-VAE" in text
    assert "Not as in the paper" in text


def test_a_run_that_is_not_there_or_not_scored_is_an_error(work: Path, tmp_path: Path) -> None:
    result = call("-w", work, "report", "other")
    assert result.exit_code == 1
    assert "finished runs are default" in result.stderr
    assert "`fsvae-pipe evaluate --run other`" in result.stderr
    broken = tmp_path / "runs" / "default"
    broken.mkdir(parents=True)
    (broken / "results.json").write_text('{"mean": {}}')
    result = call("-w", tmp_path, "report")
    assert result.exit_code == 1
    assert "does not say how it was made" in result.stderr
    assert not (broken / "report.html").exists()


def test_without_plotly_the_extra_is_named(work: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.startswith(("plotly", "pipeline.report_"))]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "plotly", None)
    result = call("-w", work, "report")
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


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    if CHROMIUM is None:
        pytest.skip(MISSING)
    with Page(tmp_path_factory.mktemp("profile")) as page:
        yield page


def opened(browser: Page, page: Path, width: int, dark: bool) -> Page:
    browser.open(page, width, dark=dark)
    browser.until("window.drawn !== undefined")
    assert browser.run("drawn") is True
    return browser


def drawing(title: str) -> str:
    """A JavaScript expression: the drawing of the figure that is called `title`."""
    return f"drawings.find((one) => one.place.closest('figure').querySelector('h4').textContent === {title!r})"


@pytest.mark.slow
@pytest.mark.parametrize("width", [1280, 390])
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_the_page_draws_everything_in_any_window_and_asks_for_nothing(
    browser: Page, page: Path, width: int, dark: bool
) -> None:
    browser.problems.clear()
    browser.requests.clear()
    opened(browser, page, width, dark)
    drawn = browser.run(
        "[...document.querySelectorAll('.plot')].map((one) => !!one.querySelector('.cartesianlayer .subplot'))"
    )
    assert len(drawn) == 10
    assert all(drawn)
    assert browser.run("document.documentElement.scrollWidth") <= width
    wide = "[...document.querySelectorAll('.plot svg.main-svg')].every((one) => one.clientWidth <= innerWidth)"
    assert browser.run(wide) is True
    text, paper = browser.run(
        "[getComputedStyle(document.body).color, getComputedStyle(document.body).backgroundColor]"
        ".map((colour) => colour.match(/[0-9]+/g).reduce((sum, part) => sum + Number(part), 0))"
    )
    assert (text > paper) == dark
    font = browser.run("drawings[0].place._fullLayout.font.color")
    assert (font == "#e6e9ed") == dark
    assert browser.problems == []
    assert {url.partition(":")[0] for url in browser.requests} <= {"file", "data"}
    assert [url for url in browser.requests if url.startswith("file")] == [page.resolve().as_uri()]


@pytest.mark.slow
def test_following_the_system_to_dark_draws_again(browser: Page, page: Path) -> None:
    opened(browser, page, 1280, dark=False)
    browser.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": "dark"}])
    browser.until("drawings.every((one) => one.place._fullLayout.font.color === '#e6e9ed')")


@pytest.mark.slow
def test_pointing_at_figures_names_clips_and_actions(browser: Page, page: Path, predictions: Predictions) -> None:
    opened(browser, page, 1280, dark=False)
    for title, expected in (
        ("Skeleton and text latents", r"S001C001P001R0\d\dA0\d\d; A0\d\d action number \d+"),
        (
            "ZSL: unseen clips among unseen actions",
            r"A003 <img src=x onerror=alert\(1\)></script> & co, taken for A003",
        ),
        ("Unseen against seen accuracy", r"seed 1: "),
    ):
        place = drawing(title) + ".place"
        browser.run(f"{place}.scrollIntoView({{block: 'center'}})")
        x, y = browser.run(
            f"(() => {{ const gd = {place}, box = gd.getBoundingClientRect(), full = gd._fullLayout, xa = full.xaxis,"
            " ya = full.yaxis, point = gd.calcdata[0][Math.floor(gd.calcdata[0].length / 2)];"
            " const [x, y] = gd.data[0].type === 'heatmap' ? [0, 0] : [point.x, point.y];"
            " return [box.left + xa._offset + xa.c2p(x), box.top + ya._offset + ya.c2p(y)]; })()"
        )
        browser.move(x + 30, y + 30)
        browser.move(x, y)
        readout = f"{place}.closest('figure').querySelector('.readout').textContent"
        browser.until(f"new RegExp({json.dumps(expected)}).test({readout})")
        assert browser.run(f"{place}.querySelectorAll('.hovertext').length") > 0


@pytest.mark.slow
def test_figures_answer_to_the_keyboard(browser: Page, page: Path) -> None:
    opened(browser, page, 1280, dark=False)
    one = drawing("GZSL: all clips among all actions")
    readout = f"{one}.place.closest('figure').querySelector('.readout').textContent"
    browser.run(f"{one}.place.focus()")
    browser.press("ArrowRight", 39)
    browser.until(f"{readout}.startsWith('A001 action number 1, taken for A001 action number 1: ')")
    browser.press("ArrowDown", 40)
    browser.until(f"{readout}.startsWith('A002 action number 2, taken for A001')")
    for title in ("GZSL: all clips among all actions", "Unseen against seen accuracy", "FS-VAE, test phase"):
        one = drawing(title)
        width = f"Math.abs({one}.place._fullLayout.xaxis.range[1] - {one}.place._fullLayout.xaxis.range[0])"
        whole = browser.run(width)
        browser.run(f"{one}.place.focus()")
        browser.press("+", 187, "+")
        browser.until(f"{width} < {whole}")
        browser.press("0", 48, "0")
        browser.until(f"Math.abs({width} - {whole}) < 1e-6")
    labels = browser.run("[...document.querySelectorAll('.modebar-btn')].map((one) => one.dataset.title || one.title)")
    assert labels
    assert not [label for label in labels if "cloud" in label.lower() or "studio" in label.lower()]


@pytest.mark.slow
def test_mistakes_play_in_the_page(browser: Page, page: Path) -> None:
    opened(browser, page, 1280, dark=False)
    assert browser.run("players.length > 0 && players.every((player) => !player.empty)") is True
    assert browser.run("players.some((player) => player.playing)") is False
    before = browser.run("players[0].canvas.toDataURL()")
    browser.run("players[0].control.play.click()")
    browser.until("players[0].frame > 3")
    browser.run("players[0].control.play.click()")
    assert browser.run("players[0].canvas.toDataURL()") != before
    assert browser.problems == []
