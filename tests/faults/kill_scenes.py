"""The scenes of the kill suite: a command, the workspace in which it is killed, and what an undisturbed run writes."""

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

DIFFERENT_CLIPS = 64  # `many_clips` repeats these under other names
BROKEN = {"S001C001P001R900A001.skeleton": b"2\n1\n", "S001C001P001R900A002.skeleton": b"", "walk.skeleton": b"1\n0\n"}


@dataclass
class Scene:
    """A workspace whose command is killed again and again, and what an undisturbed run of that command writes."""

    workspace: Workspace
    command: tuple[str, ...]
    outputs: list[list[Path]]  # the outputs of each stage that the command runs, in order
    wanted: dict[str, str]  # name of an output in the workspace -> its fingerprint after an undisturbed run
    undisturbed_seconds: float
    longest_delay_seconds: list[float] = field(init=False)  # until a kill, by the stage that a round begins with

    def __post_init__(self) -> None:
        self.longest_delay_seconds = [self.undisturbed_seconds] * len(self.outputs)

    def named(self) -> Iterator[tuple[str, Path]]:
        """The name in the workspace and the path of every output."""
        for path in (path for stage in self.outputs for path in stage):
            yield str(path.relative_to(self.workspace.root)), path


def whole_run(folder: Path) -> Scene:
    """The scene of `fsvae-pipe run` on a small made data set."""
    undisturbed, disturbed = make_workspace(folder / "undisturbed"), make_workspace(folder / "disturbed")
    seconds = finish(undisturbed, "run")
    wanted = fingerprints(undisturbed, outputs(undisturbed))
    return Scene(disturbed, ("run",), outputs(disturbed), wanted, seconds)


def preprocess_alone(folder: Path, clips: int) -> Iterator[Scene]:
    """The scenes of `fsvae-pipe preprocess`: from a folder and from a zip, with one worker and with two.

    There are so many clips that it takes seconds; in `whole_run` it ends before a kill can hit it.
    """
    files = many_clips(clips) | BROKEN
    for raw in (write_folder(folder / "clips", files), write_zip(folder / "clips.zip", files)):
        undisturbed = make_preprocess_workspace(folder / f"undisturbed-{raw.name}", raw)
        seconds = finish(undisturbed, "preprocess")
        wanted = fingerprints(undisturbed, [[undisturbed.skeletons, undisturbed.rejects]])
        for workers in (1, 2):
            workspace = make_preprocess_workspace(folder / f"disturbed-{raw.name}-{workers}", raw)
            command = ("preprocess", "--set", f"preprocess.workers={workers}")
            yield Scene(workspace, command, [[workspace.skeletons, workspace.rejects]], wanted, seconds)


def many_clips(number: int) -> dict[str, bytes]:
    """Name -> raw file, for `number` clips."""
    contents = list(made_files(DIFFERENT_CLIPS).values())
    return {f"{name}.skeleton": contents[i % DIFFERENT_CLIPS] for i, name in enumerate(clip_names(number))}


def make_workspace(folder: Path) -> Workspace:
    """Make a workspace of a small made data set."""
    write_raw_clips(folder / "clips", TINY)
    lay_out(folder, folder / "clips", TINY_CONFIG.replace("epochs = 6", "epochs = 3"))
    return Workspace(folder)


def make_preprocess_workspace(folder: Path, raw: Path) -> Workspace:
    """Make a workspace for the clips in `raw`, with the settings that preprocess needs and no others."""
    folder.mkdir()
    settings = f"[dataset]\nname = 'many'\nraw = ['{raw}']\n[preprocess]\nworkers = 1\n"
    (folder / "config.toml").write_text(settings, "utf-8")
    return Workspace(folder)


def outputs(workspace: Workspace) -> list[list[Path]]:
    """The outputs of each stage, in order."""
    run = workspace.run("default")
    features = [*(workspace.features(phase) for phase in PHASES), *(workspace.backbone(phase) for phase in PHASES)]
    return [[workspace.skeletons], features, [workspace.text], [run.model], [run.results, run.predictions]]


def fingerprints(workspace: Workspace, stages: list[list[Path]]) -> dict[str, str]:
    """Name of an output in the workspace -> its fingerprint."""
    return {str(path.relative_to(workspace.root)): fingerprint(path) for stage in stages for path in stage}


def fingerprint(path: Path) -> str:
    """A digest of the contents of a file without times. It is computed, not read from the file's own record."""
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
    """Start the real command in a process of its own. It hears SIGINT even when this process ignores it."""
    command = [sys.executable, "-m", "pipeline", "-w", str(workspace.root), *arguments]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, preexec_fn=_hear_sigint)


def _hear_sigint() -> None:
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def finish(workspace: Workspace, *command: str) -> float:
    """Let the command run to its end undisturbed; return the seconds that it took."""
    started = time.perf_counter()
    child = program(workspace, *command)
    _, errors = child.communicate()
    if child.returncode:
        raise RuntimeError(f"a run that nobody killed failed: {errors.decode()[-2000:]}")
    return time.perf_counter() - started
