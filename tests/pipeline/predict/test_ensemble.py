"""All seeds of a run answer together: as evaluate scored them, in the graph of export, and not where there is none."""

import json
import shutil
from pathlib import Path

import h5py
import numpy as np
import pytest
from click.testing import CliRunner, Result

from data.stores.feature_store import read_features
from data.stores.h5_fingerprint import fingerprint
from pipeline.cli.main import main
from pipeline.messages.errors import PipelineError
from pipeline.predict.action_bank import make_bank
from pipeline.predict.answers import Answer
from pipeline.predict.recognizer import Recognizer
from pipeline.predict.trained_run import open_run
from tests.conftest import TinyRun
from tests.pipeline.predict.test_recognizer import raw

RUNS = {  # the classifier that is fitted to texts, with a cycle of its own for each seed; and the default
    "fitted": ["evaluate.classifier.kind=regression", "evaluate.classifier.steps=20", "evaluate.selection=oracle"],
    "decoded": [],
}


def call(workspace: Path, *arguments: str | Path) -> Result:
    return CliRunner().invoke(main, ["-w", str(workspace), *map(str, arguments)])


@pytest.fixture(scope="module")
def work(tiny_run: TinyRun, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny workspace with two more runs, of two seeds each."""
    root = tmp_path_factory.mktemp("ensemble") / "work"
    shutil.copytree(tiny_run.root, root, symlinks=True)
    for run, settings in RUNS.items():
        options = [word for setting in ("train.seeds=[5,6]", *settings) for word in ("--set", setting)]
        for stage in ("train", "evaluate"):
            done = call(root, stage, "--run", run, *options)
            assert done.exit_code == 0, done.output
    return root


@pytest.mark.parametrize("run", RUNS)
@pytest.mark.parametrize(("mode", "column"), [("gzsl", "gzsl_action"), ("zsl", "zsl_action")])
def test_stored_clips_get_the_answers_of_evaluate(work: Path, run: str, mode: str, column: str) -> None:
    folder = work / "runs" / run
    opened = open_run(folder, "all")
    assert list(opened.cycles) == [5, 6]
    with h5py.File(folder / "predictions.h5") as file:
        group = file[f"ensemble/{opened.selection}"]
        names = [name.decode() for name in file["name"]]
        wanted, gate, by_text = (group[name][()] for name in (column, "gate", "unseen_probabilities"))
    features = read_features(opened.context.workspace.features("test"))
    rows = [features.name.tolist().index(name) for name in names]
    bank = make_bank(opened, mode)  # type: ignore[arg-type]
    logits = features.logits[rows]
    probabilities, found_gate = bank.probabilities(features.features[rows], logits)
    assert [bank.actions[i].name for i in probabilities.argmax(axis=1)] == [f"A{action:03d}" for action in wanted]
    if found_gate is None:
        assert probabilities == pytest.approx(by_text, abs=1e-6)
    else:
        assert found_gate == pytest.approx(gate, abs=1e-6)


def test_raw_clips_get_them_too_and_they_are_the_average_of_the_seeds(work: Path, tiny_run: TinyRun) -> None:
    folder = work / "runs" / "fitted"
    clip = next(path for path in sorted((tiny_run.root / "raw" / "setup1").glob("*P002*")))
    logarithms = []
    for seed in (5, 6, "all"):
        (answer,) = Recognizer.load(folder, seed).predict(clip, mode="zsl")
        assert isinstance(answer, Answer)
        by_name = {ranked.action.name: ranked.probability for ranked in answer.ranked}
        logarithms.append(np.log([by_name[name] for name in sorted(by_name)]))
    of_five, of_six, of_all = logarithms
    mean = np.exp((of_five + of_six) / 2)
    assert np.exp(of_all) == pytest.approx(mean / mean.sum(), abs=1e-5)
    assert np.abs(of_five - of_six).max() > 1e-3


def test_an_action_in_words_is_fitted_for_every_seed(work: Path, tiny_run: TinyRun) -> None:
    recognizer = Recognizer.load(work / "runs" / "fitted", "all")
    words = {"label": "wave", "local": "One hand swings.", "global": "A person waves."}
    (answer,) = recognizer.predict(raw(tiny_run)[0] + "/" + clip_name(tiny_run), [words], mode="zsl")
    assert isinstance(answer, Answer)
    assert {ranked.action.name for ranked in answer.ranked} == {"A001", "A007", "new-1"}


def clip_name(run: TinyRun) -> str:
    return next(path.name for path in sorted((run.root / "raw" / "setup1").glob("*P001*")))


def test_results_and_tables_have_it_beside_the_seeds(work: Path) -> None:
    results = json.loads((work / "runs" / "fitted" / "results.json").read_text("utf-8"))
    assert keys(results["ensemble"]) == keys(results["seeds"]["5"])
    assert "ensemble:" in call(work, "evaluate", "--run", "fitted").stdout
    alone = json.loads((work / "runs" / "default" / "results.json").read_text("utf-8"))
    assert "ensemble" not in alone


def keys(tree: object) -> object:
    return {name: keys(part) for name, part in tree.items()} if isinstance(tree, dict) else None


def test_the_command_names_the_seeds_and_export_writes_them(work: Path, tiny_run: TinyRun, tmp_path: Path) -> None:
    clip = tiny_run.root / "raw" / "setup1" / clip_name(tiny_run)
    done = call(work, "predict", clip, "--run", "decoded", "--seed", "all")
    assert done.exit_code == 0, done.output
    assert "run decoded, seeds 5, 6, cycle 2 (rule mean)" in done.stderr
    done = call(work, "export", tmp_path / "model", "--run", "decoded", "--seed", "all")
    assert done.exit_code == 0, done.output
    about = json.loads((tmp_path / "model" / "model.json").read_text("utf-8"))["run"]
    assert (about["seed"], about["cycles"]) == ("ensemble", {"5": [2], "6": [2]})


def test_one_seed_is_its_own_ensemble(work: Path) -> None:
    alone, together = (open_run(work / "runs" / "default", seed) for seed in (5, "all"))
    assert together.cycles == alone.cycles
    assert together.seed == 5


@pytest.mark.parametrize("command", ["predict", "export"])
def test_a_seed_of_another_form_is_wrong_usage(work: Path, tmp_path: Path, command: str) -> None:
    done = call(work, command, work / "raw" if command == "predict" else tmp_path / "model", "--seed", "every")
    assert done.exit_code == 2
    assert "'every' is no seed; give a whole number, or all for the ensemble" in " ".join(done.stderr.split())
    with pytest.raises(PipelineError, match="has no seed 'every'; it has 5, or all"):
        open_run(work / "runs" / "default", "every")  # type: ignore[arg-type]


def test_results_of_before_have_the_seeds_alone(work: Path, tmp_path: Path) -> None:
    root = Path(shutil.copytree(work, tmp_path / "work", symlinks=True))
    path = root / "runs" / "decoded" / "results.json"
    results = json.loads(path.read_text("utf-8"))
    del results["ensemble"], results["provenance"]["fingerprint"]  # the latter is that of the whole file
    path.write_text(json.dumps(results), "utf-8")
    with h5py.File(path.with_name("predictions.h5"), "a") as file:
        del file["ensemble"]
        file.attrs["fingerprint"] = fingerprint(file)
    assert open_run(path.parent).seed == 5
    make_bank(open_run(path.parent))
    with pytest.raises(PipelineError, match=r"had no ensemble of seeds; `fsvae-pipe -w \S+ evaluate --run decoded`"):
        open_run(path.parent, "all")
    done = call(root, "report", "decoded")
    assert done.exit_code == 0, done.output
