"""Actions in words are encoded as text.h5 was made, on a small CLIP that the tests build and save."""

import io
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from descriptions.errors import DescriptionError
from descriptions.levels import LEVELS
from pipeline.phases.features_and_texts import text_matrix
from pipeline.predict.free_text import GivenAction, GivenTexts, parse_given, read_given
from pipeline.stages.table import stage_named
from pipeline.workspace.config import build_config
from pipeline.workspace.context import Context
from pipeline.workspace.folder import Workspace
from tests.shared.made_encoders import save_clip

TEXTS = {"label": "sip", "local": "hand up", "global": "one"}


@pytest.fixture
def context(tmp_path: Path) -> Context:
    save_clip(tmp_path / "encoder")
    (tmp_path / "texts.csv").write_text("action,label,local,global\nA001,sip,hand up,one\nA002,kick,leg up,two\n")
    tree = {"dataset": {"name": "own", "descriptions": "texts.csv"}, "text": {"encoder": "encoder"}, "device": "cpu"}
    return Context(Workspace(tmp_path), build_config(tree, ""), tmp_path / "config.toml", Console(file=io.StringIO()))


def with_text(context: Context, **settings: object) -> Context:
    tree = context.config.plain()
    tree["text"] |= settings
    return replace(context, config=build_config(tree, ""))


@pytest.mark.parametrize(
    "settings", [{}, {"prompt": "do: ", "dimensions": 3}, {"dtype": "bfloat16", "levels": ["local"], "prompt": "q: "}]
)
def test_the_same_words_have_the_same_features(context: Context, settings: dict[str, object]) -> None:
    context = with_text(context, **settings)
    stage_named("embed-text").run(context)
    levels = context.config.text.levels
    new = GivenAction("new-2", {**dict.fromkeys(TEXTS, "bow"), "label": "bow down"})
    given = GivenTexts(context).features([GivenAction("new-1", TEXTS), new])
    (stored, _) = text_matrix(context, levels, [1, 2])
    assert given.shape == (2, len(stored))
    np.testing.assert_allclose(given[0], stored, rtol=0, atol=1e-6)
    assert not np.allclose(given[1], stored, atol=1e-2)


def test_actions_that_differ_only_where_no_one_looks_are_refused(context: Context) -> None:
    context = with_text(context, levels=["local", "global"])
    stage_named("embed-text").run(context)
    given = [GivenAction(f"new-{number}", TEXTS | {"label": label}) for number, label in ((1, "sip"), (2, "drink"))]
    with pytest.raises(DescriptionError, match=r"sip, drink have the same text features.* at local or global"):
        GivenTexts(context).features(given)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "without label and local and global"),
        ("wave", r"\(wave\) comes without local and global"),
        ("wave | | a person waves", "without local"),
        ("a | b | c | d", "4 parts"),
    ],
)
def test_an_action_in_words_needs_all_levels_in_use(text: str, reason: str) -> None:
    with pytest.raises(DescriptionError, match=reason) as error:
        parse_given(text, 1, LEVELS)
    assert '"label | local | global"' in str(error.value)


def test_levels_that_the_run_does_not_use_may_be_left_out() -> None:
    action = parse_given("wave |  | a person waves", 3, ("label", "global"))
    assert (action.name, action.label, action.texts["global"]) == ("new-3", "wave", "a person waves")


def test_a_file_of_actions_keeps_its_numbers_unless_the_run_has_them(tmp_path: Path) -> None:
    path = tmp_path / "my.csv"
    path.write_text("action,label,local,global\nA200,wave,a hand swings,a person waves\n", "utf-8")
    assert [action.name for action in read_given(path, (1, 2))] == ["A200"]
    with pytest.raises(DescriptionError, match="A200 is an action of the run already"):
        read_given(path, (200,))
