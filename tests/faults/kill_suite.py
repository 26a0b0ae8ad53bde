"""Kill the program at random moments, run it to the end, and compare with a run that nobody disturbed.

    python -m tests.faults.kill_suite --kills 200

A child process runs `fsvae-pipe run` on a small made data set, or `fsvae-pipe preprocess` on a large one, and gets
SIGKILL after a random time. After every kill each file that stands under its final name must be whole and what an
undisturbed run writes. After some kills the run is finished and everything compared; then the outputs from a random
stage on are taken away and it begins again. Runs that end before their time has come do not count, and make the times
to come shorter. The next run starts at once, also where worker processes of the killed one are still there; they must
be gone soon.
"""

import argparse
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass, field
from pathlib import Path

from tests.faults.kill_scenes import Scene, fingerprint, finish, preprocess_alone, program, whole_run

KILLS_A_ROUND = 5
SHORTER, LONGER = (
    0.7,
    1.15,
)  # what becomes of the longest time until a kill, after a run that ended before and after a kill
COMMANDS = ("run", "preprocess")  # each round is of one of them
PREPROCESS_SHARE = 1 / 3  # of the rounds
MANY_CLIPS = 2000
WORKERS_END_SECONDS = 20  # they look twice a second whether the program is still there
STAGE_LINE = re.compile(rb"^([\w-]+): (missing|stale|done in) ", re.MULTILINE)  # what the program says of its stages


@dataclass
class Tally:
    """What the suite saw."""

    kills: int = 0
    half_written: int = 0  # kills that left a file beside its place
    ended_before: int = 0  # runs that ended before they would have been killed
    stages: Counter[str] = field(default_factory=Counter)  # kills by the stage that ran
    differences: list[str] = field(default_factory=list)

    def differs(self, what: str) -> None:
        """Note what should not be."""
        self.differences.append(f"after {self.kills} kills: {what}")


def run_suite(
    folder: Path, kills: int, seed: int, commands: Collection[str] = COMMANDS, clips: int = MANY_CLIPS
) -> Tally:
    """Kill the `commands` `kills` times in workspaces below `folder`; `clips` are those of preprocess alone."""
    tally, rng = Tally(), random.Random(seed)
    folder.mkdir(exist_ok=True)
    whole = [whole_run(folder)] if "run" in commands else []
    alone = list(preprocess_alone(folder, clips)) if "preprocess" in commands else []
    while tally.kills < kills:
        scenes = alone if alone and (not whole or rng.random() < PREPROCESS_SHARE) else whole
        kill_round(rng.choice(scenes), min(KILLS_A_ROUND, kills - tally.kills), rng, tally)
        print(f"{tally.kills} kills, {len(tally.differences)} differences", file=sys.stderr)
    return tally


def kill_round(scene: Scene, kills: int, rng: random.Random, tally: Tally) -> None:
    """Begin with a random stage anew, kill the command up to `kills` times, and finish it."""
    first = rng.randrange(len(scene.outputs))
    for path in (path for stage in scene.outputs[first:] for path in stage):
        path.unlink(missing_ok=True)
    children = []
    for _ in range(kills):
        child, killed = kill_once(scene, rng.uniform(0.03, 1.0) * scene.longest[first], tally)
        children.append(child)
        compare(scene, tally, whole=not killed)
        scene.longest[first] = min(scene.seconds, scene.longest[first] * (LONGER if killed else SHORTER))
        if not killed:
            break
    finish(scene.workspace, *scene.command)
    compare(scene, tally, whole=True)
    for path in scene.workspace.root.rglob("*.partial"):
        tally.differs(f"{path} was left by a finished run")
    for child in children:
        require_all_gone(child, tally)


def kill_once(scene: Scene, delay_seconds: float, tally: Tally) -> tuple[subprocess.Popen[bytes], bool]:
    """Start the command and kill it after a time, unless it has ended before; the process, and whether it was killed.

    What the program said until then tells which stage ran.
    """
    child = program(scene.workspace, *scene.command)
    try:
        _, said = child.communicate(timeout=delay_seconds)
    except subprocess.TimeoutExpired as late:
        said = late.stderr or b""
        child.kill()
        child.wait()
    if child.returncode != -signal.SIGKILL:
        tally.ended_before += 1
        if child.returncode:
            tally.differs(f"the program failed: {said.decode()[-1000:]}")
        return child, False
    tally.kills += 1
    tally.half_written += any(scene.workspace.root.rglob("*.partial"))
    told = STAGE_LINE.findall(said)
    name, state = told[-1] if told else (b"before the first stage", b"")
    tally.stages["between two stages" if state == b"done in" else name.decode()] += 1
    return child, True


def compare(scene: Scene, tally: Tally, whole: bool) -> None:
    """Note every output that differs from the undisturbed run's, or is missing although the run was `whole`."""
    for name, path in scene.named():
        if path.exists():
            try:
                found = fingerprint(path)
            except Exception as error:  # any error here is what the suite looks for
                found = repr(error)
            if found != scene.wanted[name]:
                tally.differs(f"{name}: {found[:200]}")
        elif whole:
            tally.differs(f"{name} is missing after a finished run")


def require_all_gone(child: subprocess.Popen[bytes], tally: Tally) -> None:
    """Note when a worker of the killed process goes on: it holds what was the process's standard error."""
    if child.stderr is not None and not child.stderr.closed:
        try:
            child.communicate(timeout=WORKERS_END_SECONDS)
        except subprocess.TimeoutExpired:
            child.stderr.close()
            tally.differs(f"a worker of process {child.pid}, which was killed, goes on")


def main() -> None:
    """Run the suite and print what it saw; exit 1 when anything differed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--command", choices=COMMANDS, help="kill this one alone")
    arguments = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="fsvae-kills-"))
    try:
        commands = [arguments.command] if arguments.command else COMMANDS
        tally = run_suite(folder, arguments.kills, arguments.seed, commands)
    finally:
        shutil.rmtree(folder)
    print(f"kills {tally.kills} by the stage that ran: {dict(tally.stages)}")
    print(f"with a half-written file beside its place: {tally.half_written}; ended before a kill: {tally.ended_before}")
    print(f"differences: {len(tally.differences)}", *tally.differences, sep="\n")
    sys.exit(1 if tally.differences else 0)


if __name__ == "__main__":
    main()
