"""The tables of a study of the paper's splits, from imported features: published rows, our rows, and what differs."""

import csv
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from pipeline.cli.main import main
from pipeline.study.outputs import escaped
from tests.shared.made_published import Published

SETTINGS = 'device = "cpu"\ntrain = { cycles = 1, steps_per_cycle = 5, workers = 1 }\n'


def command(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


@pytest.fixture
def paper_study(tmp_path: Path, shift: Path, shift_val: Path) -> Path:
    """A study of NTU RGB+D 60, of which one split has imported features, and the other has nothing."""
    root = tmp_path / "study"
    assert command("-w", root, "reproduce", "ntu60", "--init").exit_code == 0
    file = root / "study.toml"
    text = file.read_text("utf-8").replace("[settings]\n", f"[settings]\n{SETTINGS}")
    text = text.replace('["default", "paper", "released"]', '["default"]').replace("[5, 6, 7, 8, 9]", "[5, 6]")
    file.write_text(text, "utf-8")
    assert command("-w", root / "ntu60", "import", "text", *Published().write_text(tmp_path / "text")).exit_code == 0
    done = command("-w", root / "ntu60" / "ntu60-synse-55-5", "import", "features", shift, shift_val)
    assert done.exit_code == 0, done.output
    return root


def test_our_rows_stand_below_the_published_ones(paper_study: Path) -> None:
    refused = command("-w", paper_study, "reproduce")
    assert refused.exit_code == 1
    assert "[datasets.ntu60]: raw is empty" in refused.stderr
    assert "/ntu60/SPLIT import features" in " ".join(refused.stderr.split())

    done = command("-w", paper_study, "reproduce", "ntu60-synse-55-5")
    assert done.exit_code == 0, done.output
    lines = [[cell.strip() for cell in line.strip("│").split("│")] for line in done.stdout.splitlines()]
    assert ["FS-VAE", "86.9", "57.2"] in lines
    assert ["FS-VAE", "77.0 / 74.5 / 75.7", "56.2 / 48.6 / 52.1"] in lines
    assert ["chance", "20.0", "-"] in lines
    with (paper_study / "table.csv").open(encoding="utf-8", newline="") as file:
        [row] = [row for row in csv.DictReader(file) if row["headline"]]
    assert (row["rule"], row["seeds"], row["spread_is"]) == ("mean", "2", "standard deviation over seeds")
    own = f"{float(row['zsl_top1']):.1f} ± {float(row['zsl_top1_spread']):.1f}"
    assert ["here: default, mean", own, "-"] in lines
    assert "- texts: imported; whether they are the authors' is not known" in done.stdout
    assert "ntu60-synse-48-12 default: no result: train is missing" in " ".join(done.stdout.split())

    page = (paper_study / "report.html").read_text("utf-8")
    assert "<td>77.0 / 74.5 / 75.7</td>" in page
    tex = (paper_study / "table.tex").read_text("utf-8")
    assert "FS-VAE & 77.0 / 74.5 / 75.7 & 56.2 / 48.6 / 52.1 \\\\" in tex
    assert (
        '\n% Here, not as in the paper: settings: not those of preset "default": train.cycles = 1 (there 10), ' in tex
    )
    assert "\n% warning: ntu60/ntu60-synse-48-12 default: no result: train is missing" in tex
    assert f"here: default, mean & {own.replace('±', '$' + chr(92) + 'pm$')} & - \\\\" in tex


def test_status_without_raw_clips(paper_study: Path) -> None:
    lines = [line.split() for line in command("-w", paper_study, "status").stdout.splitlines()]
    assert ["ntu60/ntu60-synse-55-5", "done"] in lines
    assert lines[-1] == ["0", "of", "2", "runs", "are", "up", "to", "date"]


def test_latex_prints_every_character() -> None:
    assert escaped("a_b & 5 % ± {x} \\ #1 $2 ~^") == (
        r"a\_b \& 5 \% $\pm$ \{x\} \textbackslash{} \#1 \$2 \textasciitilde{}\textasciicircum{}"
    )
