"""Kill the program at random moments, run it to the end, and compare with a run that nobody disturbed.

    python -m tests.kill_suite --kills 200

A child process runs `fsvae-pipe run` on a small made data set and gets SIGKILL after a random time. After every kill
each file that stands under its final name must be whole and what an undisturbed run writes. After some kills the run is
finished and everything compared; then the outputs from a random stage on are taken away and it begins again. Runs that
end before their time has come do not count, and make the times to come shorter.
"""

import argparse
import hashlib
import json
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

from data import h5
from pipeline.made_clips import write_raw_clips
from pipeline.provenance import read_record
from pipeline.stages import STAGES
from pipeline.workspace import PHASES, Workspace
from tests.conftest import TINY, TINY_CONFIG, lay_out

KILLS_A_ROUND = 5
SHORTER, LONGER = (
    0.7,
    1.15,
)  # what becomes of the longest time until a kill, after a run that ended before and after a kill


@dataclass
class Tally:
    """What the suite saw."""

    kills: int = 0
    ended_before: int = 0  # runs that ended before they would have been killed
    stages: dict[str, int] = field(default_factory=dict)  # kills by the first stage that was not done
    differences: list[str] = field(default_factory=list)


def make_workspace(folder: Path) -> Workspace:
    """A small made data set with its config.toml."""
    write_raw_clips(folder / "clips", TINY)
    lay_out(folder, folder / "clips", TINY_CONFIG)
    return Workspace(folder)


def outputs(workspace: Workspace) -> list[list[Path]]:
    """The outputs of each stage, in order."""
    run = workspace.run("default")
    features = [*(workspace.features(phase) for phase in PHASES), *(workspace.backbone(phase) for phase in PHASES)]
    return [[workspace.skeletons], features, [workspace.text], [run.model], [run.results, run.predictions]]


def fingerprint(path: Path) -> str:
    """What a file holds, without times: computed from the contents, not taken from what the file says of itself."""
    if path.suffix == ".h5":
        with h5.reading(path) as file:
            computed = h5.fingerprint(file)
        return computed if computed == read_record(path)["fingerprint"] else "its own fingerprint is wrong"
    if path.suffix == ".json":
        tree = json.loads(path.read_text("utf-8"))
        for key in ("provenance", "versions"):
            tree.pop(key)
        return json.dumps(tree, sort_keys=True)
    content = path.read_bytes()
    header = 8 + int.from_bytes(content[:8], "little")
    return f"{read_record(path)['fingerprint']} {hashlib.sha256(content[header:]).hexdigest()}"


def program(workspace: Workspace, *arguments: str) -> subprocess.Popen[bytes]:
    """The real command in a process of its own, which hears SIGINT also where a shell in the background ignores it."""
    command = [sys.executable, "-m", "pipeline", "-w", str(workspace.root), *arguments]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, preexec_fn=_hear_sigint)


def _hear_sigint() -> None:
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def compare(workspace: Workspace, wanted: dict[str, str], tally: Tally, whole: bool) -> None:
    """Note every output that differs from the undisturbed run's, or is missing although the run was `whole`."""
    for path in (path for stage in outputs(workspace) for path in stage):
        name = str(path.relative_to(workspace.root))
        if path.exists():
            try:
                found = fingerprint(path)
            except Exception as error:  # any error here is what the suite looks for
                found = repr(error)
            if found != wanted[name]:
                tally.differences.append(f"after {tally.kills} kills: {name}: {found[:200]}")
        elif whole:
            tally.differences.append(f"after {tally.kills} kills and a finished run: {name} is missing")


def run_suite(folder: Path, kills: int, seed: int) -> Tally:
    """Kill the program `kills` times in workspaces below `folder`."""
    tally, rng = Tally(), random.Random(seed)
    calm = make_workspace(folder / "calm")
    started = time.perf_counter()
    finish(calm)
    seconds = time.perf_counter() - started
    wanted = {str(path.relative_to(calm.root)): fingerprint(path) for stage in outputs(calm) for path in stage}

    disturbed = make_workspace(folder / "disturbed")
    longest = [seconds] * len(STAGES)  # until a kill, by the stage that a round begins with
    while tally.kills < kills:
        first = rng.randrange(len(STAGES))
        for path in (path for stage in outputs(disturbed)[first:] for path in stage):
            path.unlink(missing_ok=True)
        for _ in range(min(KILLS_A_ROUND, kills - tally.kills)):
            killed = kill_once(disturbed, rng.uniform(0.03, 1.0) * longest[first], tally)
            compare(disturbed, wanted, tally, whole=not killed)
            longest[first] = min(seconds, longest[first] * (LONGER if killed else SHORTER))
            if not killed:
                break
        finish(disturbed)
        compare(disturbed, wanted, tally, whole=True)
        left = [str(path) for path in disturbed.root.rglob("*.partial")]
        tally.differences += [f"after {tally.kills} kills and a finished run: {path} was left" for path in left]
        print(f"{tally.kills} kills, {len(tally.differences)} differences", file=sys.stderr)
    return tally


def kill_once(workspace: Workspace, delay_seconds: float, tally: Tally) -> bool:
    """Start a run and kill it after a time, unless it has ended before; count where it was. Whether it was killed."""
    child = program(workspace, "run")
    try:
        child.communicate(timeout=delay_seconds)
    except subprocess.TimeoutExpired:
        child.kill()
        child.communicate()
    if child.returncode != -signal.SIGKILL:
        tally.ended_before += 1
        return False
    tally.kills += 1
    done = [all(path.exists() for path in paths) for paths in outputs(workspace)]
    where = "after the last stage" if all(done) else STAGES[done.index(False)].name
    tally.stages[where] = tally.stages.get(where, 0) + 1
    return True


def finish(workspace: Workspace) -> None:
    """Run to the end, undisturbed."""
    child = program(workspace, "run")
    _, errors = child.communicate()
    if child.returncode:
        raise RuntimeError(f"the run after the kills failed: {errors.decode()[-2000:]}")


def main() -> None:
    """Run the suite and print what it saw; exit 1 when anything differed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="fsvae-kills-"))
    try:
        tally = run_suite(folder, arguments.kills, arguments.seed)
    finally:
        shutil.rmtree(folder)
    print(f"kills {tally.kills} by the stage that ran: {tally.stages}; ended before a kill: {tally.ended_before}")
    print(f"differences: {len(tally.differences)}", *tally.differences, sep="\n")
    sys.exit(1 if tally.differences else 0)


if __name__ == "__main__":
    main()
