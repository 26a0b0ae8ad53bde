"""fsvae-pipe export: the graph, what is said of it, the example without torch, and feature folders."""

import json
import shutil
import subprocess
import sys
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
from click.testing import CliRunner
from rich.console import Console

import pipeline.exchange.export as export_module
from data.clean.bodies import clean
from data.errors import DataError
from data.joints import JOINT_NAMES
from data.raw.skeleton_file import format_clip, parse_clip
from data.raw.skeleton_lines import MAX_LINE_BYTES
from data.recordings.read_clip import Reading
from models.onnx.graph import ModelParts
from pipeline.cli.main import main
from pipeline.exchange.export import Exported, export
from pipeline.messages.errors import PipelineError
from pipeline.predict.action_bank import ActionBank
from pipeline.predict.answers import Answer
from pipeline.predict.clip_stream import Unread, clip_batches
from pipeline.predict.recognizer import Recognizer
from pipeline.predict.run_backbone import RunBackbone
from pipeline.predict.treatment import Treatment
from pipeline.workspace.config import load_config
from pipeline.workspace.context import Context
from pipeline.workspace.folder import Workspace
from tests.conftest import TinyRun
from tests.shared.made_skeletons import moving_clip
from tests.shared.mutations import mutate

# As on a machine with onnxruntime and numpy alone.
BLOCKED = ("torch", "pipeline", "models", "data", "h5py", "pandas", "onnx", "sklearn", "scipy")


def context_of(root: Path) -> Context:
    workspace = Workspace(root)
    return Context(workspace, load_config(workspace.config), workspace.config, Console(quiet=True))


@pytest.fixture(scope="module")
def exported(tiny_run: TinyRun, tmp_path_factory: pytest.TempPathFactory) -> Exported:
    return export(context_of(tiny_run.root), tmp_path_factory.mktemp("exported"))


def test_the_graph_is_close_to_pytorch_and_takes_any_clips(exported: Exported) -> None:
    model, about, _ = exported.files
    assert exported.largest_difference < 1e-4
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    actions = json.loads(about.read_text("utf-8"))["actions"]
    for batch, frames in ((1, 12), (3, 50)):
        clips = np.random.default_rng(1).normal(size=(batch, 3, frames, 25, 2)).astype(np.float32)
        shapes = [value.shape for value in session.run(None, {"clips": clips})]
        assert shapes == [(batch, 256), (batch, len(actions) - 2), (batch, 2), (batch,)]


def test_what_a_caller_must_know_stands_beside_it(tiny_run: TinyRun, exported: Exported) -> None:
    about = json.loads(exported.files[1].read_text("utf-8"))
    assert about["input"]["joints"] == list(JOINT_NAMES)
    assert about["input"]["frames"] == 12
    assert about["input"]["frames_per_second"] == 10
    assert about["preparation"]["recipe"] == "shift-gcn"
    assert about["gate_threshold"] == 0.5
    assert [action["action"] for action in about["actions"][-2:]] == ["A001", "A007"]
    assert {action["kind"] for action in about["actions"][:-2]} == {"seen"}
    assert all(set(action["texts"]) == {"label", "local", "global"} for action in about["actions"])
    results = json.loads((tiny_run.root / "runs" / "default" / "results.json").read_text("utf-8"))
    scores = results["seeds"]["5"][results["selection"]]
    assert about["run"]["cycles"] == list(range(scores["first_cycle"], scores["cycle"] + 1))


def uneven_clips(folder: Path) -> list[Path]:
    """Raw files of bodies that come late, leave early, are three, or stay longer than a model's frames."""
    generator = np.random.default_rng(3)
    two = moving_clip(generator, 9, 2)
    late = np.concatenate((np.zeros_like(two[:2]), two))
    late[2:, 0], late[5:, 1] = two[:, 0], 0
    made = {"two": two, "late": late, "long": moving_clip(generator, 31, 2), "three": moving_clip(generator, 8, 3)}
    paths = []
    for name, joints in made.items():
        paths.append(folder / f"{name}.skeleton")
        paths[-1].write_bytes(format_clip(joints))
    return paths


def run_example(folder: Path, clip: Path, script: Path | None = None) -> subprocess.CompletedProcess[str]:
    code = (
        f"import sys, runpy; sys.modules.update(dict.fromkeys({BLOCKED!r}))\n"
        f"sys.argv = ['run_onnx.py', {str(folder)!r}, {str(clip)!r}]\n"
        f"runpy.run_path({str((script or folder) / 'run_onnx.py')!r}, run_name='__main__')"
    )
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd=folder)


def test_the_example_gives_the_answers_of_predict_without_torch(
    tiny_run: TinyRun, exported: Exported, tmp_path: Path
) -> None:
    folder, recognizer = exported.files[0].parent, Recognizer.load(tiny_run.root / "runs" / "default")
    clips = [next((tiny_run.root / "raw" / "setup1").glob("*P001*R001*")), *uneven_clips(tmp_path)]
    for clip, answer in zip(clips, recognizer.predict(clips), strict=True):
        done = run_example(folder, clip)
        assert done.returncode == 0, done.stderr
        assert isinstance(answer, Answer)
        found = [line.split()[:2] for line in done.stdout.splitlines()]
        for (probability, name), ranked in zip(found, answer.ranked, strict=False):
            assert name == ranked.action.name
            assert float(probability) == pytest.approx(ranked.probability, abs=2e-4)


def test_the_example_prepares_clips_as_preprocess_does(tiny_raw: Path, tmp_path: Path) -> None:
    source = Path(export_module.__file__).with_name("run_onnx.py").read_text("utf-8")
    example: dict[str, Any] = {}
    exec(source.partition("folder, path =")[0], example)
    clips = [*sorted((tiny_raw / "setup1").glob("*R001*"))[:4], *uneven_clips(tmp_path)]
    (batch,) = clip_batches(clips, Treatment(Reading(), "shift-gcn", 12))
    assert len(batch.joints) == len(clips)
    for clip, wanted in zip(clips, batch.joints, strict=True):
        assert np.allclose(example["prepare"](example["read"](clip), 12)[0], wanted, atol=1e-6), clip.name


def test_the_example_refuses_another_recipe(exported: Exported, tmp_path: Path) -> None:
    shutil.copytree(exported.files[0].parent, tmp_path / "model")
    path = tmp_path / "model" / "model.json"
    path.write_text(path.read_text("utf-8").replace('"recipe": "shift-gcn"', '"recipe": "denoised"'), "utf-8")
    done = run_example(tmp_path / "model", tmp_path)
    assert done.returncode == 1
    assert "recipe shift-gcn alone" in done.stderr


def test_the_example_says_in_a_line_what_is_not_there(exported: Exported, tmp_path: Path) -> None:
    folder = exported.files[0].parent
    for model, clip, absent in ((folder, tmp_path / "no.skeleton", "no.skeleton"), (tmp_path, tmp_path, "model.json")):
        done = run_example(model, clip, folder)
        assert done.returncode == 1
        assert f"{tmp_path / absent}: no such file; usage: python run_onnx.py FOLDER CLIP" in done.stderr
        assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize("kept", [0, 10, 2000, -40])
def test_the_example_says_of_a_cut_clip_in_a_line_that_it_is_cut(
    tiny_run: TinyRun, exported: Exported, tmp_path: Path, kept: int
) -> None:
    whole = next((tiny_run.root / "raw" / "setup1").glob("*P001*R001*")).read_bytes()
    path = tmp_path / "cut.skeleton"
    path.write_bytes(whole[:kept])
    done = run_example(exported.files[0].parent, path)
    assert (done.returncode, done.stderr.count("\n")) == (1, 1), done.stderr
    assert done.stderr.startswith(f"{path}: can't be read")


@pytest.mark.parametrize("coordinate", ["nan", "inf", "-Infinity", "1e39", "1_0"])
def test_the_example_refuses_a_coordinate_that_predict_refuses(
    tiny_run: TinyRun, exported: Exported, tmp_path: Path, coordinate: str
) -> None:
    lines = next((tiny_run.root / "raw" / "setup1").glob("*P001*R001*")).read_bytes().split(b"\r\n")
    lines[7] = coordinate.encode() + b" " + lines[7].split(b" ", 1)[1]
    path = tmp_path / "odd.skeleton"
    path.write_bytes(b"\r\n".join(lines))
    with pytest.raises(DataError):
        parse_clip(path.read_bytes(), "clip")
    done = run_example(exported.files[0].parent, path)
    assert (done.returncode, done.stdout) == (1, "")
    assert "of finite numbers" in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_the_example_warns_of_units_as_predict_does(tiny_run: TinyRun, exported: Exported, tmp_path: Path) -> None:
    whole = min((tiny_run.root / "raw" / "setup1").glob("*P001*R001*"))
    path = tmp_path / "millimetres.skeleton"
    path.write_bytes(format_clip(1000 * parse_clip(whole.read_bytes(), "clip").joints))
    done = run_example(exported.files[0].parent, path)
    (answer,) = Recognizer.load(tiny_run.root / "runs" / "default").predict(path)
    assert isinstance(answer, Answer)
    warning = answer.warnings[0]  # made clips are near the limit of another check
    assert done.returncode == 0
    assert "not to be in metres" in done.stderr
    assert warning.split(" m ")[0] in done.stderr  # the same size
    assert done.stdout
    assert run_example(exported.files[0].parent, whole).stderr == ""


def test_coordinates_that_no_network_can_compute_with_get_no_answer(
    tiny_run: TinyRun, exported: Exported, tmp_path: Path
) -> None:
    whole = next((tiny_run.root / "raw" / "setup1").glob("*P001*R001*"))
    path = tmp_path / "far.skeleton"
    path.write_bytes(format_clip(1e37 * parse_clip(whole.read_bytes(), "clip").joints))
    recognizer = Recognizer.load(tiny_run.root / "runs" / "default")
    unread, answer = recognizer.predict([path, whole])
    assert isinstance(unread, Unread)
    assert "NaN or infinite" in unread.reason
    (alone,) = recognizer.predict(whole)
    assert isinstance(answer, Answer)
    assert isinstance(alone, Answer)
    assert [ranked.action for ranked in answer.ranked] == [ranked.action for ranked in alone.ranked]
    done = run_example(exported.files[0].parent, path)
    assert (done.returncode, done.stdout) == (1, "")
    assert "NaN or infinite" in done.stderr


def test_the_example_answers_no_broken_file_that_predict_refuses(tmp_path: Path) -> None:
    source = Path(export_module.__file__).with_name("run_onnx.py").read_text("utf-8")
    example: dict[str, Any] = {}
    exec(source.partition("folder, path =")[0], example)
    rng, path, read = np.random.default_rng(8), tmp_path / "clip.skeleton", 0
    for _ in range(200):
        content = mutate(format_clip(moving_clip(rng, 2, 2)), rng)
        if max(map(len, content.split(b"\n"))) > MAX_LINE_BYTES or len(content) > 1 << 16:
            continue  # no limit of the example's
        path.write_bytes(content)
        try:
            wanted: np.ndarray | None = clean(parse_clip(content, "clip"), "shift-gcn").joints
        except DataError:
            wanted = None
        with np.errstate(over="ignore"), suppress(OSError, StopIteration, ValueError, LookupError, MemoryError):
            found = example["prepare"](example["read"](path), 2)
            assert wanted is not None, content
            assert np.allclose(found[0, ..., 0].transpose(1, 2, 0), wanted[0, :2], atol=1e-5) or len(wanted[0]) != 2
            read += 1
    assert read > 10


def test_the_example_says_how_it_is_called(exported: Exported) -> None:
    script = [sys.executable, str(exported.files[2])]
    for arguments in ([], ["model"], ["model", "clip", "more"]):
        done = subprocess.run([*script, *arguments], capture_output=True, text=True, check=False)
        assert (done.returncode, done.stderr) == (1, "usage: python run_onnx.py FOLDER CLIP\n")


def test_a_graph_that_differs_is_not_written(
    tiny_run: TinyRun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = export_module._parts

    def cooler(backbone: RunBackbone, bank: ActionBank) -> ModelParts:
        parts = made(backbone, bank)
        assert parts.gate is not None
        return replace(parts, temperature=1.0)

    monkeypatch.setattr(export_module, "_parts", cooler)
    with pytest.raises(PipelineError, match="differs from PyTorch by up to"):
        export(context_of(tiny_run.root), tmp_path / "model")
    assert not (tmp_path / "model").exists()


def test_without_the_extra_the_message_says_what_to_install(
    tiny_run: TinyRun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(export_module, "find_spec", lambda name: None)
    with pytest.raises(PipelineError, match=r"onnx and onnxruntime.*fsvae-pipe\[export\]"):
        export(context_of(tiny_run.root), tmp_path / "model")


def test_the_command_prints_the_difference_and_refuses_what_makes_no_sense(tiny_run: TinyRun, tmp_path: Path) -> None:
    def run(*arguments: str) -> tuple[int, str]:
        result = CliRunner().invoke(main, ["-w", str(tiny_run.root), "export", *arguments])
        return result.exit_code, result.output

    code, output = run(str(tmp_path / "model"), "--mode", "zsl")
    assert code == 0, output
    assert "largest difference from PyTorch: " in output
    about = json.loads((tmp_path / "model" / "model.json").read_text("utf-8"))
    assert (about["mode"], about["gate_threshold"], len(about["actions"])) == ("zsl", None, 2)
    code, output = run(str(tmp_path / "f"), "--features", "--mode", "zsl")
    assert (code, "--features writes what extract made" in output) == (2, True)
    code, output = run(str(tmp_path / "f"), "--set", "train.alpha=0.5")
    assert (code, "--set train.alpha=0.5: a finished run keeps the settings" in " ".join(output.split())) == (2, True)
    code, output = run(str(tmp_path / "f"), "--run", "other")
    assert (code, "no trained run; there is default" in output) == (1, True)
