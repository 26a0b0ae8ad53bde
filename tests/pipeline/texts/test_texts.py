"""`fsvae-pipe texts`, with a small CLIP that the tests build and save."""

import io
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from rich.console import Console

from data.stores import h5
from descriptions.errors import DescriptionError
from descriptions.loader import builtin_descriptions, read_descriptions
from models.errors import ModelError
from pipeline.cli.main import main
from pipeline.messages.errors import PipelineError
from pipeline.stages.embed_text import embed_text
from pipeline.stages.table import stage_named
from pipeline.texts.texts import texts
from pipeline.workspace.config import build_config
from pipeline.workspace.context import Context
from pipeline.workspace.folder import Workspace
from tests.shared.made_encoders import save_bert, save_clip

CONTENT = "action,label,local,global\nA001,sip,hand up,one\nA002,kick,leg up,two\nA007,bow,leg up,one\n"


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_clip(tmp_path_factory.mktemp("encoder"))


@pytest.fixture
def context(tmp_path: Path, encoder: Path) -> Context:
    (tmp_path / "texts.csv").write_text(CONTENT)
    tree = {
        "dataset": {"name": "own", "descriptions": "texts.csv", "split": "custom", "unseen": ["A007"]},
        "text": {"encoder": str(encoder)},
    }
    return Context(Workspace(tmp_path), build_config(tree, ""), tmp_path / "config.toml", Console(file=io.StringIO()))


def with_settings(context: Context, table: str, **settings: object) -> Context:
    tree = context.config.plain()
    tree[table] |= settings
    return replace(context, config=build_config(tree, ""))


def write_skeletons(context: Context, actions: list[int]) -> None:
    with h5.writing(context.workspace.skeletons, {}) as file:
        file["clip/action"] = np.array(actions)


def test_a_starter_and_json_at_once_are_wrong_usage(tmp_path: Path) -> None:
    CliRunner().invoke(main, ["-w", str(tmp_path), "init", "ntu60-synse-55-5"])
    before = sorted(tmp_path.iterdir())
    result = CliRunner().invoke(main, ["-w", str(tmp_path), "texts", "--init", "--json"])
    assert (result.exit_code, result.stdout) == (2, "")
    assert "--init writes a CSV" in result.stderr
    assert [path for path in sorted(tmp_path.iterdir()) if path.name != ".lock"] == before


def test_it_shows_neighbours_and_the_most_similar_pairs(context: Context, capsys: pytest.CaptureFixture[str]) -> None:
    texts(context)
    shown = capsys.readouterr().out
    assert "A002 1.00" in shown  # nearest to A007 by its local text
    assert "1.000  A001 sip | A007 bow" in shown  # by their global texts
    assert 'warning: A002, A007 have the same local, "leg up"' in shown
    assert 'warning: A001, A007 have the same global, "one"' in shown
    assert "3 actions, 2 warnings" in shown


def test_actions_that_nothing_tells_apart_are_named_once(context: Context, capsys: pytest.CaptureFixture[str]) -> None:
    context.user_path("texts.csv").write_text(CONTENT.replace("kick,leg up,two", "bow,leg up,one"))
    texts(context, as_json=True)
    assert json.loads(capsys.readouterr().out)["warnings"] == [
        "A002, A007 have the same texts, so that nothing tells them apart",
        'A001, A002, A007 have the same global, "one"',
    ]


def test_texts_that_differ_are_no_problem(context: Context, capsys: pytest.CaptureFixture[str]) -> None:
    context.user_path("texts.csv").write_text(CONTENT.replace("bow,leg up,one", "bow,head down,three"))
    texts(context)
    assert "3 actions, no problem found" in capsys.readouterr().out
    context.user_path("texts.csv").write_text(CONTENT.replace("bow,leg up", "bow,head down"))
    texts(context)
    assert "3 actions, 1 warning, see above" in capsys.readouterr().out


def test_json_holds_figures_pairs_and_neighbours_of_every_level(
    context: Context, capsys: pytest.CaptureFixture[str]
) -> None:
    texts(context, as_json=True, neighbours=1, pairs=2)
    report = json.loads(capsys.readouterr().out)
    assert report["problems"] == []
    assert list(report["levels"]) == ["label", "local", "global", "together"]
    local = report["levels"]["local"]
    assert local["pairs"][0] == {"actions": ["A002", "A007"], "cosine": 1.0}
    assert len(local["pairs"]) == 2
    assert local["neighbours"]["A007"] == [{"action": "A002", "cosine": 1.0}]
    assert -1 <= local["mean"] <= local["percentile_95"] <= 1


def test_texts_that_embed_text_encoded_are_not_encoded_again(
    context: Context, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    embed_text(context, stage_named("embed-text").provenance(context))
    monkeypatch.setattr("models.text.encoders.ClipEncoder.encode", None)
    texts(context)
    assert "3 actions" in capsys.readouterr().out


def test_all_problems_are_listed_at_once(context: Context, capsys: pytest.CaptureFixture[str]) -> None:
    write_skeletons(context, [1, 2, 3, 3])
    path = context.user_path("texts.csv")
    path.write_text(CONTENT.replace("A007,bow", "A008,") + "A002,kick,leg,two\nA009,bow,leg up," + "far " * 9 + "\n")
    with pytest.raises(DescriptionError) as caught:
        texts(context, as_json=True)
    problems = [(problem["line"], problem["message"]) for problem in json.loads(capsys.readouterr().out)["problems"]]
    assert [line for line, _ in problems] == [4, 5, 6, None, None]
    assert [message.split(":")[0] for _, message in problems] == [
        "label is empty",
        "A002 is already described in line 3",
        "A009",
        "A003 has no row",
        "A007 has no row",
    ]
    assert problems[2][1].startswith("A009: global is 29 tokens long")
    assert all(message in str(caught.value) for _, message in problems)
    assert str(path) in str(caught.value)


def test_texts_of_unknown_words_are_problems_with_their_lines(
    context: Context, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    save_bert(tmp_path / "bert")
    context.user_path("texts.csv").write_text(
        "action,label,local,global\nA001,one hand,one,both legs\nA007,脚,legs,one\n", "utf-8"
    )
    with pytest.raises(DescriptionError, match=r'text\.encoder = "sentence-transformers/.*multilingual'):
        texts(with_settings(context, "text", encoder="bert"), as_json=True)
    problems = json.loads(capsys.readouterr().out)["problems"]
    assert [problem["line"] for problem in problems] == [3]
    assert problems[0]["message"].startswith("A007: 100% of label is unknown to ")


def test_the_same_texts_for_all_actions_are_a_problem(context: Context, capsys: pytest.CaptureFixture[str]) -> None:
    context.user_path("texts.csv").write_text(
        "action,label,local,global\nA001,sip,hand up,one\nA002,sip,hand up,one\nA007,sip,hand up,one\n"
    )
    with pytest.raises(DescriptionError, match="have the same text features"):
        texts(context, as_json=True)
    assert "A001, A002, A007 have the same" in json.loads(capsys.readouterr().out)["problems"][0]["message"]


def test_under_an_unreadable_header_no_action_is_said_to_lack_a_row(
    context: Context, capsys: pytest.CaptureFixture[str]
) -> None:
    write_skeletons(context, [1, 2, 3])
    context.user_path("texts.csv").write_text(CONTENT.replace("action,label,local,global", "number,label,local,global"))
    with pytest.raises(DescriptionError):
        texts(context, as_json=True)
    messages = [problem["message"] for problem in json.loads(capsys.readouterr().out)["problems"]]
    assert messages
    assert not [message for message in messages if "has no row" in message]


def test_problems_are_listed_without_an_encoder_too(context: Context) -> None:
    without_encoder = with_settings(context, "text", encoder="nowhere/model")
    with pytest.raises(ModelError, match="hf download nowhere/model"):
        texts(without_encoder)
    context.user_path("texts.csv").write_text(CONTENT.replace("kick", ""))
    with pytest.raises(DescriptionError, match="line 3: label is empty"):
        texts(without_encoder)


def test_one_action_can_not_be_compared(context: Context) -> None:
    context.user_path("texts.csv").write_text("action,label,local,global\nA007,bow,trunk down,one\n")
    with pytest.raises(DescriptionError, match="at least 2 are needed"):
        texts(context)


def raw_clips(context: Context) -> Context:
    for action in (4, 2, 4):
        (context.workspace.root / f"S001C001P001R00{action}A{action:03d}.skeleton").touch()
    return with_settings(context, "dataset", raw=["."])


def preprocessed(context: Context) -> Context:
    write_skeletons(context, [4, 2, 4])
    return context


def imported(context: Context) -> Context:
    with h5.writing(context.workspace.features("test"), {}) as file:
        file["action"] = np.array([4, 2, 4])
    return context


@pytest.mark.parametrize("prepare", [raw_clips, preprocessed, imported])
def test_init_writes_a_row_for_each_action_of_the_workspace(
    context: Context, prepare: Callable[[Context], Context]
) -> None:
    path = context.user_path("texts.csv")
    path.unlink()
    texts(prepare(context), init=True)
    assert path.read_text() == "action,label,local,global\nA002,,,\nA004,,,\nA007,,,\n"  # A007 is named as unseen
    with pytest.raises(DescriptionError, match="line 2: label is empty"):
        texts(context)


def test_init_names_the_next_command_with_its_workspace(tmp_path: Path) -> None:
    CliRunner().invoke(main, ["-w", str(tmp_path), "init", "custom", "--raw", str(tmp_path)])
    (tmp_path / "S001C001P001R001A004.skeleton").touch()
    result = CliRunner().invoke(main, ["-w", str(tmp_path), "texts", "--init"])
    assert f"then: `fsvae-pipe -w {tmp_path} texts`" in result.stdout


def test_init_begins_with_the_built_in_texts_of_ntu(context: Context, capsys: pytest.CaptureFixture[str]) -> None:
    ntu = with_settings(context, "dataset", name="ntu60", descriptions="")
    write_skeletons(ntu, [60, 1])
    texts(ntu, init=True)
    path = context.workspace.descriptions
    known = builtin_descriptions("ntu120")
    assert read_descriptions(path) == {action: known[action] for action in (1, 7, 60)}
    assert f"wrote {path}" in capsys.readouterr().out


def test_init_begins_with_the_texts_of_the_data_set(context: Context) -> None:
    pku = with_settings(context, "dataset", name="pku51", descriptions="")
    write_skeletons(pku, [51, 1])
    texts(pku, init=True)
    written = read_descriptions(context.workspace.descriptions)
    assert (written[1]["label"], written[51]["label"]) == ("bow to greet politely", "write on paper")


def test_init_never_writes_over_a_file(context: Context) -> None:
    with pytest.raises(PipelineError, match="already exists"):
        texts(context, init=True)
    assert context.user_path("texts.csv").read_text() == CONTENT


def test_init_without_any_action_says_where_to_name_clips(context: Context) -> None:
    context.user_path("texts.csv").unlink()
    with pytest.raises(PipelineError, match=r"dataset\.raw in .*config\.toml"):
        texts(with_settings(context, "dataset", split="ntu60-synse-55-5", name="ntu60", unseen=[]), init=True)
