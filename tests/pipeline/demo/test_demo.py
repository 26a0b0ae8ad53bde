"""The demo: its texts, its split, its folder, and a small demo through the real stages."""

import io
import json
from pathlib import Path

import pytest
from rich.console import Console

from data.splits import parse_action
from descriptions.loader import read_descriptions
from pipeline.demo import demo as demo_module
from pipeline.demo.demo import TRAIN_SUBJECTS, UNSEEN, VAL_UNSEEN, demo, demo_dataset, demo_settings, make_workspace
from pipeline.demo.made_actions import ACTIONS
from pipeline.demo.made_clips import MadeDataset
from pipeline.messages.errors import PipelineError
from pipeline.workspace.config import load_config
from pipeline.workspace.folder import Workspace
from tests.conftest import TINY, TinyRun

TEXTS = read_descriptions(Path(demo_module.__file__).parents[2] / "descriptions" / "demo.csv")


@pytest.fixture
def small_demo(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the demo make few, short clips and train for moments. Everything else stays as it is."""

    def small_dataset(seed: int) -> MadeDataset:
        return MadeDataset(TINY.actions, TINY.subjects, TINY.replications, TINY.frames, seed)

    def small_settings(seed: int, raw: list[str]) -> dict[str, object]:
        return demo_settings(seed, raw) | {
            "dataset.train_subjects": [1, 3, 4],
            "dataset.unseen": ["A001", "A007"],
            "dataset.val_unseen": ["A003", "A009"],
            "preprocess.workers": 1,
            "backbone.frames": 12,
            "backbone.epochs": 2,
            "backbone.keep": "last",
            "backbone.batch_size": 8,
            "backbone.learning_rate": 0.005,
            "train.seeds": [seed, seed + 1],
            "train.cycles": 1,
            "train.steps_per_cycle": 10,
            "train.workers": 1,
        }

    monkeypatch.setattr(demo_module, "demo_dataset", small_dataset)
    monkeypatch.setattr(demo_module, "demo_settings", small_settings)


def test_every_action_has_its_texts_and_no_two_are_alike() -> None:
    assert sorted(TEXTS) == list(range(1, len(ACTIONS) + 1))
    for level in ("label", "local", "global"):
        assert len({texts[level] for texts in TEXTS.values()}) == len(TEXTS)
    for texts in TEXTS.values():
        for level in ("local", "global"):
            assert 8 <= len(texts[level].split()) <= 25, texts[level]


@pytest.mark.parametrize("half", [0, 1])
def test_the_same_movement_has_the_same_words(half: int) -> None:
    """The words of an unseen action's texts must occur in those of seen actions."""
    by_movement: dict[tuple[str, str], list[dict[str, str]]] = {}
    for action, pair in enumerate(ACTIONS, start=1):
        by_movement.setdefault(pair[half], []).append(TEXTS[action])
    for level in ("label", "local", "global"):
        separator = {"label": " while ", "local": ", while ", "global": ", the person "}[level]
        part = half if level != "global" else 1 - half  # in global texts the legs or trunk come first
        phrases = {
            movement: {texts[level].split(separator)[part] for texts in rows} for movement, rows in by_movement.items()
        }
        assert all(len(wordings) == 1 for wordings in phrases.values()), phrases


def test_both_halves_of_every_unseen_action_are_seen_elsewhere() -> None:
    unseen, val_unseen = ({parse_action(label) for label in labels} for labels in (UNSEEN, VAL_UNSEEN))
    assert not unseen & val_unseen
    actions = set(range(1, len(ACTIONS) + 1))
    for held_out in (unseen, unseen | val_unseen):
        seen = [ACTIONS[action - 1] for action in actions - held_out]
        for action in held_out:
            for half in (0, 1):
                assert sum(pair[half] == ACTIONS[action - 1][half] for pair in seen) >= 3
    assert 1 - len(TRAIN_SUBJECTS) / demo_dataset(5).subjects > 0.3


def test_the_folder_holds_raw_clips_texts_and_a_config_that_says_what_is_set(tmp_path: Path, small_demo: None) -> None:
    workspace = Workspace(tmp_path / "made")
    make_workspace(workspace, 5, Console(file=io.StringIO()))
    config = load_config(workspace.config)
    assert config.dataset.name == "demo"
    assert config.text.encoder == "minilm"
    assert all((workspace.root / path).exists() for path in config.dataset.raw)
    assert read_descriptions(workspace.root / config.dataset.descriptions) == TEXTS


def test_a_folder_of_something_else_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("precious")
    with pytest.raises(PipelineError, match=r"thesis\.tex"):
        demo(tmp_path, seed=5, console=Console(file=io.StringIO()))
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


@pytest.mark.parametrize(("name", "seed"), [("ntu60", 5), ("demo", 6)])
def test_another_workspace_or_another_seed_is_refused(tmp_path: Path, name: str, seed: int) -> None:
    (tmp_path / "config.toml").write_text(f'seed = {seed}\n[dataset]\nname = "{name}"\n')
    with pytest.raises(PipelineError, match="--folder"):
        demo(tmp_path, seed=5, console=Console(file=io.StringIO()))


def test_all_stages_run_on_made_clips(tiny_run: TinyRun) -> None:
    results = json.loads((tiny_run.root / "runs" / "default" / "results.json").read_text())
    assert results["mean"]["val"]["zsl"]["chance"] == pytest.approx(50.0)
    rejects = (tiny_run.root / "rejects.csv").read_text()
    for name in ("R091", "R092", "R093", "R094", "calibration"):
        assert name in rejects
    assert len(rejects.splitlines()) == 6
    for stage in ("preprocess", "extract", "embed-text", "train", "evaluate"):
        assert f"{stage}: done" in tiny_run.progress


@pytest.mark.slow
def test_the_demo_runs_then_has_nothing_left_to_do(
    tmp_path: Path, small_demo: None, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "shown"
    console = Console(stderr=True)
    demo(folder, seed=5, console=console)
    first = capsys.readouterr()
    results = folder / "runs" / "default" / "results.json"
    before = results.read_bytes()
    demo(folder, seed=5, console=console)
    second = capsys.readouterr()
    assert results.read_bytes() == before
    for shown in (first, second):
        assert "ZSL top-1" in shown.out
        assert "not recorded" in shown.out
    assert "evaluate" in first.err
    assert second.err == ""
