"""Which texts a workspace uses."""

from pathlib import Path

import pytest
from rich.console import Console

from data.splits import NUM_ACTIONS
from pipeline.messages.errors import PipelineError
from pipeline.phases.texts_in_use import BUILTIN_TEXTS, texts_in_use
from pipeline.workspace.config import build_config
from pipeline.workspace.context import Context
from pipeline.workspace.folder import Workspace


def context_of(tmp_path: Path, name: str) -> Context:
    config = build_config({"dataset": {"name": name}}, "config.toml")
    return Context(Workspace(tmp_path), config, tmp_path / "config.toml", Console())


def test_every_data_set_with_a_name_has_texts() -> None:
    assert BUILTIN_TEXTS.keys() == NUM_ACTIONS.keys()


@pytest.mark.parametrize(
    ("name", "last"), [("ntu60", "walk away from another person"), ("ntu120", None), ("pku51", "write on paper")]
)
def test_texts_are_those_of_the_data_set(tmp_path: Path, name: str, last: str | None) -> None:
    texts = texts_in_use(context_of(tmp_path, name))
    assert list(texts) == list(range(1, NUM_ACTIONS[name] + 1))
    assert last in (None, texts[NUM_ACTIONS[name]]["label"])


def test_other_data_sets_have_none(tmp_path: Path) -> None:
    with pytest.raises(PipelineError, match=r'no built-in texts for dataset\.name = "mine"'):
        texts_in_use(context_of(tmp_path, "mine"))
