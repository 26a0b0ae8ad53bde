"""Another aligner than FS-VAE goes through every command that FS-VAE goes through."""

import csv
import json
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from models.aligners.registry import make_aligner
from models.fsvae.settings import ClassifierSettings, ModelSettings, TrainSettings
from pipeline.cli.main import main
from tests.conftest import TinyRun

RIDGE = ("--set", "model.aligner=ridge")


def call(workspace: Path, *arguments: str | Path) -> Result:
    done = CliRunner().invoke(main, ["-w", str(workspace), *map(str, arguments)])
    assert done.exit_code == 0, done.output
    return done


@pytest.fixture(scope="module")
def work(tiny_run: TinyRun, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny workspace with a second run, `ridge`, trained and evaluated."""
    root = tmp_path_factory.mktemp("ridge") / "work"
    shutil.copytree(tiny_run.root, root, symlinks=True)
    trained = call(root, "train", "--run", "ridge", *RIDGE)
    assert "seed 5, test phase: solved in" in trained.stderr
    scored = call(root, "evaluate", "--run", "ridge", *RIDGE)
    assert "ZSL top-1" in scored.stdout
    return root


def test_its_results_are_told_apart_from_fsvae(work: Path) -> None:
    results = json.loads((work / "runs" / "ridge" / "results.json").read_text("utf-8"))
    rules = results["seeds"]["5"]
    assert rules["val"]["cycle"] == rules["last"]["cycle"] == rules["oracle"]["cycle"] == 1
    assert results["config"]["model"]["aligner"] == "ridge"
    assert 'model: aligner "ridge", not FS-VAE' in results["differences"]
    with (work / "runs" / "ridge" / "history.csv").open(encoding="utf-8", newline="") as file:
        assert len(list(csv.reader(file))) == 1  # the header alone: there is no loss


def test_it_names_clips_and_takes_actions_in_words(work: Path, tiny_run: TinyRun) -> None:
    clip = next((tiny_run.root / "raw" / "setup1").glob("*.skeleton"))
    answer = json.loads(call(work, "predict", clip, "--run", "ridge", "--json").stdout.splitlines()[0])
    assert answer["clip"] == str(clip)
    words = ("--action", "wave | One hand swings from side to side. | A person waves.")
    other = ("--action", "sit | The hips sink and the knees bend. | A person sits down.")
    free = call(work, "predict", clip, "--run", "ridge", "--mode", "given", *words, *other, "--json")
    ranked = json.loads(free.stdout.splitlines()[0])["actions"]
    assert {action["label"] for action in ranked} == {"wave", "sit"}
    assert sum(action["probability"] for action in ranked) == pytest.approx(1)


def test_predict_answers_as_evaluate_did(work: Path, tiny_run: TinyRun) -> None:
    from data.stores.prediction_store import read_predictions

    stored = read_predictions(work / "runs" / "ridge" / "predictions.h5", (5,), "val")
    done = call(work, "predict", tiny_run.root / "raw" / "setup1", "--run", "ridge", "--json")
    answers = {Path(row["clip"]).stem: row for row in map(json.loads, done.stdout.splitlines()) if "actions" in row}
    compared = 0
    for name, action in zip(stored.name, stored.seeds[0].gzsl_action, strict=True):
        if str(name) in answers:
            assert answers[str(name)]["actions"][0]["action"] == f"A{action:03d}"
            compared += 1
    assert compared


def test_a_report_says_what_it_has_not(work: Path) -> None:
    call(work, "report", "ridge")
    page = (work / "runs" / "ridge" / "report.html").read_text("utf-8")
    assert "has no latent space and no frequency module" in page
    assert "has no losses" in page


def test_sweep_sets_it_beside_fsvae(work: Path) -> None:
    call(work, "sweep", "aligners", "--set", "train.cycles=1", "--set", "train.steps_per_cycle=5")
    with (work / "sweeps" / "aligners.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert {row["row"] for row in rows} == {"FS-VAE", "ridge"}
    assert all(row["fault"] == "" and row["zsl_top1_mean"] for row in rows)


@pytest.mark.parametrize("name", ModelSettings.model_fields["aligner"].annotation.__args__)  # type: ignore[union-attr]
def test_every_aligner_of_the_settings_is_one(name: str) -> None:
    aligner = make_aligner(ModelSettings(aligner=name), TrainSettings(), ClassifierSettings())
    assert type(aligner).__name__.lower() == f"{name}aligner"
