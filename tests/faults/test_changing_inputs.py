"""An input changes while a stage reads it. The stage writes nothing, or a result that is not called up to date.

The tests put the old input back afterwards. A result of other contents must not look up to date then either.
"""

import shutil
import signal
import time
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import h5py
import pytest
from click.testing import CliRunner, Result

from data.stores import h5
from data.stores.files import partial_path
from data.stores.text_store import read_text_features
from pipeline.cli.main import main
from pipeline.workspace.folder import Workspace
from tests.conftest import TinyRun
from tests.faults.kill_scenes import fingerprint, finish, make_preprocess_workspace, many_clips, program
from tests.shared.made_skeletons import write_folder, write_zip

CLIPS = 300
BEGUN_SECONDS = 0.1  # after skeletons.h5 was begun: by then some clips are read and others are not


def invoke(workspace: Path, *arguments: str) -> Result:
    return CliRunner().invoke(main, ["-w", str(workspace), *arguments])


@pytest.fixture
def workspace(tiny_run: TinyRun, tmp_path: Path) -> Path:
    return Path(shutil.copytree(tiny_run.root, tmp_path / "work", symlinks=True))


def preprocess_while(workspace: Workspace, change: Callable[[], object]) -> tuple[int, str]:
    """Halt preprocess half-way, make the `change`, and let it go on; return its exit code and standard error."""
    child = program(workspace, "preprocess")
    partial = partial_path(workspace.skeletons)
    while child.poll() is None and not partial.exists():
        time.sleep(0.005)
    time.sleep(BEGUN_SECONDS)
    child.send_signal(signal.SIGSTOP)
    change()
    child.send_signal(signal.SIGCONT)
    _, errors = child.communicate()
    return child.returncode, errors.decode()


def rewrite(path: Path, content: bytes) -> None:
    path.write_bytes(content)


def replace(path: Path, content: bytes) -> None:
    beside = path.with_name("new")
    beside.write_bytes(content)
    beside.replace(path)


@pytest.mark.parametrize("change", [rewrite, replace])
@pytest.mark.parametrize("kind", ["folder", "zip"])
def test_raw_files_that_change_while_they_are_read(
    tmp_path: Path, kind: str, change: Callable[[Path, bytes], None]
) -> None:
    files = many_clips(CLIPS)
    names = sorted(files)
    changed = files | {names[0]: files[names[1]], names[-1]: files[names[1]]}  # one already read, one not yet read
    if kind == "zip":
        raw = target = write_zip(tmp_path / "raw.zip", files)
        content = write_zip(tmp_path / "changed.zip", changed).read_bytes()
    else:
        raw, content = write_folder(tmp_path / "raw", files), changed[names[-1]]
        target = raw / names[-1]
    work = make_preprocess_workspace(tmp_path / "work", raw)
    code, errors = preprocess_while(work, lambda: change(target, content))
    assert (code, f"{raw} changed while preprocess read it" in errors) == (1, True), errors
    assert sorted(path.name for path in work.root.iterdir()) == [".lock", "config.toml"]
    finish(work, "preprocess")
    undisturbed = make_preprocess_workspace(tmp_path / "undisturbed", raw)
    assert invoke(undisturbed.root, "preprocess").exit_code == 0
    assert fingerprint(work.skeletons) == fingerprint(undisturbed.skeletons)


def write_another(path: Path) -> None:
    """Replace `path` by a file with the same record and one number of its contents changed."""
    record = h5.read_record(path)
    record = {name: value for name, value in record.items() if name not in ("fingerprint", "format_version")}
    with h5py.File(path) as old, h5.writing(path, record) as new:
        for name in old:
            old.copy(name, new)
        dataset = next(item for item in new.values() if isinstance(item, h5py.Dataset) and item.dtype.kind == "f")
        dataset[0] = dataset[0] + 0.25


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize(
    ("stage", "reads", "name", "result"),
    [
        ("extract", "_inputs", "skeletons.h5", "features/test.h5"),
        ("train", "training_data", "text.h5", "runs/default/model.safetensors"),
        ("train", "training_data", "features/val.h5", "runs/default/model.safetensors"),
        ("evaluate", "read_phases", "features/test.h5", "runs/default/results.json"),
        ("evaluate", "require_as_written", "text.h5", "runs/default/results.json"),
    ],
)
def test_what_a_stage_reads_is_replaced_before_or_after_it_is_read(
    workspace: Path, monkeypatch: pytest.MonkeyPatch, stage: str, reads: str, name: str, result: str, when: str
) -> None:
    path, backup, before = workspace / name, workspace / "backup", (workspace / result).read_bytes()
    shutil.copy2(path, backup)
    module = import_module(f"pipeline.stages.{stage}")
    read = getattr(module, reads)

    def disturbed(*arguments: Any) -> Any:
        if when == "before":
            write_another(path)
        contents = read(*arguments)
        if when == "after":
            write_another(path)
        return contents

    monkeypatch.setattr(module, reads, disturbed)
    done = invoke(workspace, stage, "--force")
    assert done.exit_code == 1, done.output
    assert f"{name} changed while {stage} read it" in done.stderr
    assert (workspace / result).read_bytes() == before
    assert not (workspace / "runs/default/members").exists()
    assert f"{name} changed" in invoke(workspace, "status").stdout
    backup.replace(path)
    assert invoke(workspace, "status").stdout.endswith("every stage is up to date\n")


def test_descriptions_that_change_while_they_are_encoded(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from pipeline.stages import embed_text

    descriptions = workspace / "descriptions.csv"
    old = descriptions.read_text("utf-8")
    load = embed_text.load_encoder_of

    def edited(*arguments: Any) -> Any:
        lines = old.splitlines(keepends=True)
        descriptions.write_text(lines[0] + lines[1].replace("A001,", "A001,another ", 1) + "".join(lines[2:]), "utf-8")
        return load(*arguments)

    monkeypatch.setattr(embed_text, "load_encoder_of", edited)
    done = invoke(workspace, "embed-text", "--force")
    assert done.exit_code == 1, done.output
    assert (
        "embed-text has ended, but its result is stale already (text of A001 changed): something changed while it ran; "
        "run the same command again"
    ) in done.stderr
    assert "stale" in invoke(workspace, "status").stdout
    assert not read_text_features(workspace / "text.h5").texts["label"][0].startswith("another")
    monkeypatch.undo()
    assert invoke(workspace, "embed-text").exit_code == 0
    assert read_text_features(workspace / "text.h5").texts["label"][0].startswith("another")
