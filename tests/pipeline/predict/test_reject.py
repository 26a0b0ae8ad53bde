"""`predict --reject`: clips that fit none of the texts are told, in every form of answer."""

import csv
import io
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

from data.stores.prediction_store import read_decisions
from pipeline.cli.main import main
from pipeline.predict.answers import Answer
from pipeline.predict.recognizer import Recognizer
from tests.conftest import TinyRun


def call(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


@pytest.fixture(scope="module")
def clips(tiny_run: TinyRun) -> list[Path]:
    return sorted((tiny_run.root / "raw" / "setup1").glob("S001C001P00[1-4]R001*"))[:8]


@pytest.mark.parametrize("mode", ["zsl", "gzsl"])
def test_the_more_may_be_lost_the_more_is_rejected(tiny_run: TinyRun, clips: list[Path], mode: str) -> None:
    recognizer = Recognizer.load(tiny_run.root / "runs" / "default")
    rejected = []
    for lost in (0.0, 0.5, 0.99):
        answers = recognizer.predict(clips, mode=mode, reject=lost)  # type: ignore[arg-type]
        rejected.append({a.clip for a in answers if isinstance(a, Answer) and a.none_of_these})
        if mode == "gzsl":
            seen = {a.clip for a in answers if isinstance(a, Answer) and (a.unseen_probability or 0) < 0.5}
            assert not rejected[-1] & seen
    assert rejected[0] <= rejected[1] <= rejected[2]
    plain = recognizer.predict(clips, mode=mode)  # type: ignore[arg-type]
    assert all(isinstance(a, Answer) and a.none_of_these is None for a in plain)


def test_every_form_says_it(tiny_run: TinyRun, clips: list[Path]) -> None:
    words = ("--action", "wave | an arm swings | a person waves", "--action", "sit | knees bend | a person sits")
    options = ("-w", tiny_run.root, "predict", *clips, "--mode", "given", *words, "--reject", 0.99)
    as_json = call(*options, "--json")
    assert as_json.exit_code == 0, as_json.output
    none = [json.loads(line)["none_of_these"] for line in as_json.stdout.splitlines()]
    assert f"{sum(none)} of {len(clips)} clips show none of these actions (--reject 0.99)" in as_json.stderr
    assert any(none)
    rows = list(csv.DictReader(io.StringIO(call(*options, "--csv", "--top", 1).stdout)))
    assert [row["none_of_these"] for row in rows] == [str(flag).lower() for flag in none]
    assert call(*options).stdout.count("none of these") == sum(none)
    without = call(*options[:-2], "--json")
    assert "none_of_these" not in without.stdout


def test_what_evaluate_measured_stands_in_the_results(tiny_run: TinyRun) -> None:
    run = tiny_run.root / "runs" / "default"
    rejection = json.loads((run / "results.json").read_text("utf-8"))["mean"]["mean"]["rejection"]
    assert set(rejection) == {"auroc", "at_1", "at_5", "at_10"}
    assert all(0 <= value <= 100 for part in rejection.values() for value in part.values())
    quantiles = read_decisions(run / "predictions.h5", [5], "mean")[5].rejection["quantiles"]
    assert (np.diff(quantiles) >= 0).all()


def test_impossible_uses_are_refused(tiny_run: TinyRun, clips: list[Path], tmp_path: Path) -> None:
    assert call("-w", tiny_run.root, "predict", clips[0], "--reject", 1).exit_code == 2
    work = Path(shutil.copytree(tiny_run.root, tmp_path / "work", symlinks=True))
    published = call("-w", work, "evaluate", "--set", "evaluate.gate.kind=published")
    assert published.exit_code == 0, published.output
    refused = call("-w", work, "predict", clips[0], "--reject", 0.1)
    assert refused.exit_code == 1
    assert "knows nothing of rejection, which needs a gate of scores" in " ".join(refused.stderr.split())
