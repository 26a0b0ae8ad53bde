"""`fsvae-pipe sweep`: grids, a run for each row, the CSV, going on after a stop, and rows that fail."""

import csv
from pathlib import Path

import pytest
import tomlkit

from pipeline.messages.errors import PipelineError
from pipeline.running.sweep import built_in_grids, caveats_of_rows, grid_rows, run_name, sweep
from pipeline.workspace.config import build_config
from pipeline.workspace.context import Context
from tests.pipeline.stages.test_train import QUICK, SMALL
from tests.shared.made_features import made_workspace
from tests.shared.rewritten import rewrite_record

QUICK_SEED = {**QUICK, "train.seeds": [5], "train.cycles": 1}


@pytest.fixture
def context(tmp_path: Path) -> Context:
    made = made_workspace(tmp_path, SMALL, QUICK_SEED)
    made.config_path.write_text(tomlkit.dumps(made.config.plain()), "utf-8")
    return made


def grid_file(folder: Path, text: str) -> str:
    path = folder / "mine.toml"
    path.write_text(text, "utf-8")
    return str(path)


@pytest.mark.parametrize("grid", sorted(built_in_grids()))
def test_every_built_in_row_is_valid(grid: str) -> None:
    name, rows = grid_rows(grid)
    assert name == grid
    for row in rows.values():
        tree: dict[str, object] = {}
        for key, value in row.items():
            table = tree
            *parts, last = key.split(".")
            for part in parts:
                table = table.setdefault(part, {})  # type: ignore[assignment]
            table[last] = value
        build_config(tree, grid)
    assert len({run_name(grid, row) for row in rows}) == len(rows)


def test_a_product_is_all_combinations(tmp_path: Path) -> None:
    name, rows = grid_rows(grid_file(tmp_path, '[product]\n"train.alpha" = [0.1, 0.5]\n"model.latent" = [3, 4, 5]\n'))
    assert name == "mine"
    assert len(rows) == 6
    assert rows["train.alpha=0.5, model.latent=4"] == {"train.alpha": 0.5, "model.latent": 4}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", r"wanted a table \[rows\]"),
        ("[other]\n", r"wanted a table \[rows\]"),
        ("[rows", "not valid TOML"),
        ('[rows]\na = { "dataset.split" = "x" }\n', 'row "a" sets dataset.split'),
    ],
)
def test_a_file_that_is_no_grid_is_refused(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(PipelineError, match=message):
        grid_rows(grid_file(tmp_path, text))


def test_an_unknown_grid_is_refused() -> None:
    with pytest.raises(PipelineError, match=r'"nothing" is not a grid.*ablation'):
        grid_rows("nothing")


def test_rows_become_runs_and_a_csv(context: Context, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rewrite_record(context.workspace.features("test"), {"transfer": "true", "backbone_saw": '["A007"]'})
    grid = grid_file(
        tmp_path,
        '[rows]\n"wide" = { "model.latent" = 4 }\n"one level" = { "text.levels" = ["label"] }\n'
        '"broken" = { "train.learning_rate" = 1e12 }\n',
    )
    with pytest.raises(PipelineError, match="1 of 3 rows failed, the first: broken: "):
        sweep(context, grid, ["train.batch_size=8"], workers=1)
    path = context.workspace.sweep("mine")
    with path.open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [(row["row"], row["rule"]) for row in rows[:5]] == [
        ("wide", "mean"),
        ("wide", "val"),
        ("wide", "last"),
        ("wide", "oracle"),
        ("one level", "mean"),
    ]
    assert rows[0]["model.latent"] == "4"
    assert 0 <= float(rows[0]["zsl_top1_mean"]) <= 100
    assert "learning_rate" in rows[-1]["fault"]
    assert rows[-1]["zsl_top1_mean"] == ""
    printed = " ".join(capsys.readouterr().out.split())
    assert "wide" in printed
    transfer = "the backbone of the test phase was trained on unseen actions (A007): results are transfer results"
    assert printed.count(f"warning: {transfer}") == 1  # not one for each row
    assert transfer in rows[0]["caveats"]

    model = context.workspace.run("mine-wide").model
    before = model.stat().st_mtime_ns
    with pytest.raises(PipelineError, match="1 of 3 rows failed"):
        sweep(context, grid, ["train.batch_size=8"], workers=1)
    assert model.stat().st_mtime_ns == before
    assert "batch_size = 8" in context.workspace.run("mine-wide").config.read_text("utf-8")


def test_a_caveat_of_some_rows_names_them() -> None:
    outcomes = [
        {"row": "a", "results": {"caveats": ["of all", "of some"]}},
        {"row": "b", "results": {"caveats": ["of all"]}},
        {"row": "broken", "results": {}},
    ]
    assert caveats_of_rows(outcomes) == ["of all", "a: of some"]
