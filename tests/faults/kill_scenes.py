"""What the kill suite kills: a command in a workspace, with what an undisturbed run of it writes."""

import hashlib
import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from data.phase_names import PHASES
from data.stores import h5
from pipeline.demo.made_clips import write_raw_clips
from pipeline.workspace.folder import Workspace
from pipeline.workspace.provenance import read_record
from tests.conftest import TINY, TINY_CONFIG, lay_out
from tests.shared.made_skeletons import clip_names, made_files, write_folder, write_zip

DIFFERENT_CLIPS = 64  # of the many: each stands there many times under other names
BROKEN = {"S001C001P001R900A001.skeleton": b"2\n1\n", "S001C001P001R900A002.skeleton": b"", "walk.skeleton": b"1\n0\n"}


@dataclass
class Scene:
    """A workspace whose command is killed again and again, and what an undisturbed run of that command makes."""

    workspace: Workspace
    command: tuple[str, ...]
    outputs: list[list[Path]]  # of each stage that the command runs, in order
    wanted: dict[str, str]  # what each of them holds, by its name in the workspace
    seconds: float  # of the undisturbed run
    longest: list[float] = field(init=False)  # until a kill, by the stage that a round begins with

    def __post_init__(self) -> None:
        self.longest = [self.seconds] * len(self.outputs)

    def named(self) -> Iterator[tuple[str, Path]]:
        """Every output, with its name in the workspace."""
        for path in (path for stage in self.outputs for path in stage):
            yield str(path.relative_to(self.workspace.root)), path


def whole_run(folder: Path) -> Scene:
    """`fsvae-pipe run` on a small made data set."""
    calm, disturbed = make_workspace(folder / "calm"), make_workspace(folder / "disturbed")
    seconds = finish(calm, "run")
    return Scene(disturbed, ("run",), outputs(disturbed), held(calm, outputs(calm)), seconds)


def preprocess_alone(folder: Path, clips: int) -> Iterator[Scene]:
    """`fsvae-pipe preprocess` on so many clips that it takes seconds: from a folder and a zip, by one process and two.

    In `whole_run` it is done before a kill can find it.
    """
    files = many_clips(clips) | BROKEN
    for raw in (write_folder(folder / "clips", files), write_zip(folder / "clips.zip", files)):
        calm = make_preprocess_workspace(folder / f"calm-{raw.name}", raw)
        seconds = finish(calm, "preprocess")
        wanted = held(calm, [[calm.skeletons, calm.rejects]])
        for workers in (1, 2):
            workspace = make_preprocess_workspace(folder / f"disturbed-{raw.name}-{workers}", raw)
            command = ("preprocess", "--set", f"preprocess.workers={workers}")
            yield Scene(workspace, command, [[workspace.skeletons, workspace.rejects]], wanted, seconds)


def many_clips(number: int) -> dict[str, bytes]:
    """Raw files by name."""
    contents = list(made_files(DIFFERENT_CLIPS).values())
    return {f"{name}.skeleton": contents[i % DIFFERENT_CLIPS] for i, name in enumerate(clip_names(number))}


def make_workspace(folder: Path) -> Workspace:
    """A small made data set with its config.toml."""
    write_raw_clips(folder / "clips", TINY)
    lay_out(folder, folder / "clips", TINY_CONFIG)
    return Workspace(folder)


def make_preprocess_workspace(folder: Path, raw: Path) -> Workspace:
    """A workspace whose raw clips lie elsewhere, with no more settings than preprocess wants."""
    folder.mkdir()
    settings = f"[dataset]\nname = 'many'\nraw = ['{raw}']\n[preprocess]\nworkers = 1\n"
    (folder / "config.toml").write_text(settings, "utf-8")
    return Workspace(folder)


def outputs(workspace: Workspace) -> list[list[Path]]:
    """The outputs of each stage, in order."""
    run = workspace.run("default")
    features = [*(workspace.features(phase) for phase in PHASES), *(workspace.backbone(phase) for phase in PHASES)]
    return [[workspace.skeletons], features, [workspace.text], [run.model], [run.results, run.predictions]]


def held(workspace: Workspace, stages: list[list[Path]]) -> dict[str, str]:
    """What each output holds, by its name in the workspace."""
    return {str(path.relative_to(workspace.root)): fingerprint(path) for stage in stages for path in stage}


def fingerprint(path: Path) -> str:
    """What a file holds, without times: computed from the contents, not taken from what the file says of itself."""
    if path.suffix == ".h5":
        with h5.reading(path) as file:
            computed = h5.fingerprint(file)
        return computed if computed == read_record(path)["fingerprint"] else "its own fingerprint is wrong"
    content = path.read_bytes()
    if path.suffix == ".csv":
        return hashlib.sha256(content).hexdigest()
    if path.suffix == ".json":
        tree = json.loads(content)
        for key in ("provenance", "versions"):
            tree.pop(key)
        return json.dumps(tree, sort_keys=True)
    header = 8 + int.from_bytes(content[:8], "little")
    return f"{read_record(path)['fingerprint']} {hashlib.sha256(content[header:]).hexdigest()}"


def program(workspace: Workspace, *arguments: str) -> subprocess.Popen[bytes]:
    """The real command in a process of its own, which hears SIGINT also where a shell in the background ignores it."""
    command = [sys.executable, "-m", "pipeline", "-w", str(workspace.root), *arguments]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, preexec_fn=_hear_sigint)


def _hear_sigint() -> None:
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def finish(workspace: Workspace, *command: str) -> float:
    """Let the command run to its end, undisturbed; the seconds that it took."""
    started = time.perf_counter()
    child = program(workspace, *command)
    _, errors = child.communicate()
    if child.returncode:
        raise RuntimeError(f"a run that nobody killed failed: {errors.decode()[-2000:]}")
    return time.perf_counter() - started
