"""fsvae-pipe predict: what it writes, and what it says of wrong input."""

import csv
import io
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

from data.raw.skeleton_file import format_clip, parse_clip
from pipeline.cli.main import main
from pipeline.predict.modes import MODES
from tests.conftest import TinyRun
from tests.shared.made_skeletons import moving_clip


def predict(run: TinyRun, *arguments: str | Path) -> Result:
    return CliRunner().invoke(main, ["-w", str(run.root), "predict", *map(str, arguments)])


@pytest.fixture
def clips(tiny_run: TinyRun) -> list[Path]:
    """Three clips, the second one broken."""
    folder = tiny_run.root / "raw" / "setup1"
    whole = sorted(folder.glob("*R001*"))
    return [whole[0], next(folder.glob("*R091*")), whole[1]]


def test_a_line_of_json_a_clip_and_a_bad_one_does_not_stop_the_others(tiny_run: TinyRun, clips: list[Path]) -> None:
    result = predict(tiny_run, *clips, "--json", "--top", "1")
    assert result.exit_code == 0, result.output
    rows = [json.loads(line) for line in result.stdout.splitlines()]
    assert [row["clip"] for row in rows] == [str(clip) for clip in clips]
    assert [set(row) for row in rows] == [
        {"clip", "actions", "unseen_probability"},
        {"clip", "error"},
        {"clip", "actions", "unseen_probability"},
    ]
    (action,) = rows[0]["actions"]
    assert set(action) == {"action", "label", "kind", "probability"}
    assert "seed 5" in result.stderr
    assert "1 of 3 clips could not be read" in result.stderr


def test_the_device_can_be_set(tiny_run: TinyRun, clips: list[Path]) -> None:
    assert predict(tiny_run, clips[0], "--set", "device=cpu", "--set", " device = cpu").exit_code == 0


def test_csv_has_a_row_for_each_rank(tiny_run: TinyRun, clips: list[Path]) -> None:
    result = predict(tiny_run, *clips, "--csv", "--mode", "zsl", "--top", "5")
    rows = list(csv.DictReader(io.StringIO(result.stdout)))
    assert [(row["clip"], row["rank"]) for row in rows] == [
        (str(clips[0]), "1"),
        (str(clips[0]), "2"),
        (str(clips[1]), ""),
        (str(clips[2]), "1"),
        (str(clips[2]), "2"),
    ]
    assert {row["action"] for row in rows} == {"A001", "A007", ""}
    assert rows[2]["error"]


def test_the_table_names_clips_and_reasons(tiny_run: TinyRun, clips: list[Path]) -> None:
    result = predict(tiny_run, *clips)
    assert result.exit_code == 0, result.output
    lines = result.stdout.splitlines()
    assert lines[0].split() == ["clip", "1.", "2.", "3.", "unseen"]
    starts = [line.split()[0].rstrip(":") for line in lines if line.startswith("S")]
    assert starts == [clip.stem for clip in clips]
    assert "not read: line" in result.stdout


def test_no_readable_clip_is_a_failure(tiny_run: TinyRun, clips: list[Path], tmp_path: Path) -> None:
    path = tmp_path / "few.skeleton"
    content = format_clip(moving_clip(np.random.default_rng(0), 1))
    path.write_bytes(b"\r\n".join([*content.split(b"\r\n")[:3], b"20", *content.split(b"\r\n")[4:24], b""]))
    result = predict(tiny_run, path, clips[1])
    assert result.exit_code == 1
    assert "none of 2 clips could be read" in result.stderr
    assert "25" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["--action", ""], 2, '"label | local | global" is wanted'),
        (["--mode", "given"], 2, "--action or --actions"),
        (["--run", "other"], 1, "no trained run; there is default"),
        (["--seed", "77"], 1, "has no seed 77"),
        (["--json", "--csv"], 2, "--json and --csv"),
        (["--set", "evaluate.gate.threshold=0.9"], 2, "only device can be set"),
        (["--top", "0"], 2, "--top"),
        (["--mode", "any"], 2, "--mode"),
        (["no-such.skeleton"], 2, "does not exist"),
    ],
)
def test_wrong_input_gets_a_clear_message(
    tiny_run: TinyRun, clips: list[Path], arguments: list[str], code: int, message: str
) -> None:
    result = predict(tiny_run, clips[0], *arguments)
    assert result.exit_code == code
    assert message in result.stderr
    assert "Traceback" not in result.output
    assert result.stdout == ""


def test_a_folder_without_clips_is_told_as_such(tiny_run: TinyRun, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "zips").mkdir()
    (tmp_path / "zips" / "clips.zip").write_bytes(b"")
    for name, said in (
        ("empty", "holds no .skeleton file; name another"),
        ("zips", "it holds clips.zip: name each archive"),
    ):
        result = predict(tiny_run, tmp_path / name)
        assert result.exit_code == 1
        assert said in result.stderr
        assert "dataset.raw" not in result.stderr


def test_the_modes_of_the_command_are_those_of_the_bank() -> None:
    (mode,) = [option for option in main.commands["predict"].params if option.name == "mode"]
    assert tuple(mode.type.choices) == MODES  # type: ignore[attr-defined]


def test_stored_actions_need_no_text_encoder_and_no_fitting(tiny_run: TinyRun, clips: list[Path]) -> None:
    code = (
        "import sys; from pipeline.cli.main import main\n"
        f"main(['-w', {str(tiny_run.root)!r}, 'predict', {str(clips[0])!r}, '--json'], standalone_mode=False)\n"
        "print(*{'transformers', 'sentence_transformers', 'sklearn', 'accelerate', 'torch._dynamo'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[1:] == [""]


def test_many_ranks_stand_below_each_other_and_few_beside_each_other(tiny_run: TinyRun, clips: list[Path]) -> None:
    few, many = (predict(tiny_run, clips[0], "--mode", "zsl", "--top", top).stdout for top in ("2", "1000"))
    assert " 2." in few
    assert "actions" in many
    ranked = [line for line in many.splitlines() if " % " in line and "(A" in line]
    assert len(ranked) == 2  # all unseen actions of the run, a line each
    assert max(map(len, many.splitlines())) <= 120


def test_an_action_with_the_label_of_one_of_the_run_is_refused(tiny_run: TinyRun, clips: list[Path]) -> None:
    with (tiny_run.root / "descriptions.csv").open(encoding="utf-8", newline="") as file:
        label = next(row["label"] for row in csv.DictReader(file) if row["action"] == "A001")
    words = (
        "--action",
        f"{label.upper()} | an arm moves | a person moves",
        "--action",
        "sit | knees bend | a person sits",
    )
    refused = predict(tiny_run, clips[0], *words)
    assert refused.exit_code == 1
    assert "is the label of A001, an action of the run already" in " ".join(refused.stderr.split())
    assert predict(tiny_run, clips[0], *words, "--mode", "given").exit_code == 0


@pytest.fixture
def millimetres(clips: list[Path], tmp_path: Path) -> Path:
    """A clip that is right but for its unit."""
    path = tmp_path / "millimetres.skeleton"
    path.write_bytes(format_clip(1000 * parse_clip(clips[0].read_bytes(), "clip").joints))
    return path


@pytest.mark.parametrize("form", ["--json", "--csv", "--top=2", "--top=50"])
def test_units_that_are_not_metres_are_told_beside_the_answer_and_on_the_screen(
    tiny_run: TinyRun, clips: list[Path], millimetres: Path, form: str
) -> None:
    result = predict(tiny_run, clips[0], millimetres, clips[2], form)
    assert result.exit_code == 0, result.output
    assert "warning: 1 of 3 answers may be wrong, the first: " in " ".join(result.stderr.split())
    assert f"{millimetres.name}: the body measures" in " ".join(result.stderr.split())
    told = "not to be in metres"
    if form == "--json":
        rows = [json.loads(line) for line in result.stdout.splitlines()]
        assert ["warnings" in row for row in rows] == [False, True, False]
        assert told in rows[1]["warnings"][0]
        assert "these seem to be in millimetres" in rows[1]["warnings"][0]
    elif form == "--csv":
        for row in csv.DictReader(io.StringIO(result.stdout)):
            assert (told in row["warnings"]) == (row["clip"] == str(millimetres))
    else:
        assert result.stdout.count("warning: ") == 1
        assert "millimetres: warning: the body measures" in " ".join(result.stdout.split())


@pytest.mark.parametrize("encoding", ["cp1252", "ascii", "utf-8"])
@pytest.mark.parametrize("form", ["--json", "--csv", "--top=2"])
def test_labels_beyond_the_encoding_of_the_output_end_in_no_traceback(
    tiny_run: TinyRun, clips: list[Path], form: str, encoding: str
) -> None:
    command = ["-w", str(tiny_run.root), "predict", str(clips[0]), form]
    words = ["--mode", "given", "--action", "一人 | 水 | 人", "--action", "sit | knees bend | a person sits"]
    done = CliRunner(charset=encoding).invoke(main, [*command, *words])  # its stdout has this encoding, and is strict
    assert done.exit_code == 0, done.exception
    if form == "--json":
        labels = {action["label"] for action in json.loads(done.stdout_bytes.decode(encoding))["actions"]}
        assert "一人" in labels
    elif form == "--csv":
        assert "一人" in done.stdout_bytes.decode("utf-8")
    else:
        assert ("一人" if encoding == "utf-8" else "\\u4e00\\u4eba") in done.stdout_bytes.decode(encoding)


def test_a_text_in_a_language_that_the_encoder_does_not_know_is_refused(tiny_run: TinyRun, clips: list[Path]) -> None:
    words = ("--mode", "given", "--action", "吃饭 | 手 | 人", "--action", "sit | knees bend | a person sits")
    refused = predict(tiny_run, clips[0], *words)
    assert refused.exit_code == 1
    message = " ".join(refused.stderr.split())
    assert "吃饭: 100% of label is unknown to minilm" in message
    assert "multilingual" in message
