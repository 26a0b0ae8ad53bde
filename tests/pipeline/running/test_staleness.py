"""The states of stages, and which of them `run` runs: on three small stages that write JSON files."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from data.errors import NewerFormatError
from data.stores.files import FORMAT_VERSION
from pipeline.messages.errors import PipelineError
from pipeline.running.run import chosen_stages, plan, run_stages
from pipeline.running.staleness import StageState, stage_states
from pipeline.stages.table import STAGES, Stage, stage_named
from pipeline.workspace.config import build_config
from pipeline.workspace.context import Context
from pipeline.workspace.folder import Workspace
from pipeline.workspace.provenance import Provenance

WRITTEN: list[str] = []


def write(context: Context, provenance: Provenance) -> None:
    """The function of all three stages: write the value of the stage's setting."""
    WRITTEN.append(provenance.stage)
    value = {"first": context.config.seed // 10, "second": context.config.train.cycles, "third": 0}[provenance.stage]
    path = context.workspace.root / f"{provenance.stage}.json"
    path.write_text(json.dumps({"fingerprint": str(value), "provenance": provenance.record()}))


def content(name: str) -> Callable[[Context], dict[str, str]]:
    def inputs(context: Context) -> dict[str, str]:
        path = context.workspace.root / name
        if not path.is_file():
            raise PipelineError(f"{name} does not exist yet")
        text = path.read_text()
        return {name: json.loads(text)["fingerprint"] if text.startswith("{") else text}

    return inputs


def stage(name: str, needs: tuple[str, ...], setting: str, source: str) -> Stage:
    return Stage(
        name=name,
        version=1,
        help="",
        needs=needs,
        settings=(setting,),
        without=("train.seeds",),
        inputs=content(source),
        outputs=lambda context: (context.workspace.root / f"{name}.json",),
        function=f"{__name__}:write",
    )


CHAIN = (
    stage("first", (), "seed", "raw.txt"),
    stage("second", ("first",), "train", "first.json"),
    stage("third", ("first", "second"), "evaluate", "second.json"),
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "raw.txt").write_text("clips")
    WRITTEN.clear()
    return tmp_path


def context(folder: Path, **settings: object) -> Context:
    config = build_config(settings, "test")
    return Context(Workspace(folder), config, folder / "config.toml", Console(stderr=True))


def ran(folder: Path, **settings: object) -> list[str]:
    return [state.stage for state in run_stages(context(folder, **settings), CHAIN)]


def states(folder: Path, **settings: object) -> dict[str, StageState]:
    return {state.stage: state for state in stage_states(context(folder, **settings), CHAIN)}


def test_all_is_missing_then_done_then_nothing_runs(folder: Path) -> None:
    assert [state.state for state in states(folder).values()] == ["missing"] * 3
    assert ran(folder) == WRITTEN == ["first", "second", "third"]
    assert [state.state for state in states(folder).values()] == ["done"] * 3
    assert ran(folder) == []


def test_a_changed_setting_makes_its_stage_and_the_later_ones_stale(folder: Path) -> None:
    ran(folder)
    changed = states(folder, train={"cycles": 3})
    assert [state.state for state in changed.values()] == ["done", "stale", "stale"]
    assert changed["second"].reasons == ("train.cycles changed from 10 to 3",)
    assert changed["third"].reasons == ("second is stale",)
    assert ran(folder, train={"cycles": 3}) == ["second", "third"]


def test_a_setting_that_changes_no_result_makes_nothing_stale(folder: Path) -> None:
    ran(folder)
    assert ran(folder, train={"seeds": [1, 2]}) == []


def test_a_changed_input_is_named(folder: Path) -> None:
    ran(folder)
    (folder / "raw.txt").write_text("other clips")
    assert states(folder)["first"].reasons == ("raw.txt changed",)
    (folder / "raw.txt").unlink()
    assert states(folder)["first"].reasons == ("raw.txt does not exist yet",)


def test_the_same_contents_again_leave_the_later_stages_done(folder: Path) -> None:
    ran(folder, seed=50)
    assert [state.stage for state in plan(context(folder, seed=51), CHAIN)] == ["first", "second", "third"]
    assert ran(folder, seed=51) == ["first"]


def test_a_stage_with_a_new_version_is_stale(folder: Path) -> None:
    ran(folder)
    newer = (CHAIN[0], replace(CHAIN[1], version=2), CHAIN[2])
    assert stage_states(context(folder), newer)[1].reasons == (
        "made by second version 1, this program has second version 2",
    )


def test_an_unreadable_output_is_stale_and_made_again(folder: Path) -> None:
    ran(folder)
    (folder / "third.json").write_text("{cut")
    assert "third.json: does not say how it was made" in states(folder)["third"].reasons[0]
    assert ran(folder) == ["third"]
    assert states(folder)["third"].state == "done"


def test_an_output_of_a_newer_program_is_not_written_over(folder: Path) -> None:
    ran(folder)
    tree = json.loads((folder / "second.json").read_text())
    tree["provenance"]["format_version"] = str(FORMAT_VERSION + 1)
    (folder / "second.json").write_text(json.dumps(tree))
    with pytest.raises(NewerFormatError, match=r"second\.json"):
        states(folder)
    with pytest.raises(NewerFormatError):
        ran(folder)
    assert json.loads((folder / "second.json").read_text()) == tree


def test_force_runs_a_stage_that_is_done_and_the_plan_runs_nothing(folder: Path) -> None:
    ran(folder)
    WRITTEN.clear()
    planned = plan(context(folder), CHAIN, force=["second"])
    assert [state.reasons for state in planned] == [("--force",), ("second is stale",)]
    assert WRITTEN == []
    assert [state.stage for state in run_stages(context(folder), CHAIN, force=["second"])] == WRITTEN == ["second"]


def test_from_and_until_choose_a_range_of_stages() -> None:
    assert chosen_stages(None, None) == STAGES
    assert [stage.name for stage in chosen_stages("extract", "train")] == ["extract", "embed-text", "train"]
    with pytest.raises(PipelineError, match="comes after"):
        chosen_stages("train", "extract")
    with pytest.raises(PipelineError, match="preprocess"):
        stage_named("pre-process")


def test_imported_outputs_need_no_stage_before_them(folder: Path) -> None:
    record = Provenance("import", 1, {"train.cycles": 10}, {"published.npy": "aa"}).record()
    (folder / "second.json").write_text(json.dumps({"fingerprint": "x", "provenance": record}))
    (folder / "first.json").write_text(json.dumps({"fingerprint": "y"}))
    first, second = stage_states(context(folder), CHAIN[:2])
    assert (first.state, first.reasons) == ("done", ("not needed: second imported",))
    assert (second.state, second.reasons) == ("done", ("imported",))
    (stale,) = stage_states(context(folder, train={"cycles": 3}), CHAIN[1:2])
    assert (stale.state, stale.reasons) == ("stale", ("train.cycles changed from 10 to 3 since the import",))
