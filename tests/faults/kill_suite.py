"""Kills the program at random moments, lets it finish, and compares the result with that of an undisturbed run.

    python -m tests.faults.kill_suite --kills 200

A child process runs `fsvae-pipe run` on a small made data set, or `fsvae-pipe preprocess` on a large one. It gets
SIGKILL after a random time. After every kill, each file under a final name must be whole and equal to that of an
undisturbed run. After some kills the run is finished and all outputs are compared. Then the outputs from a random stage
on are deleted, and the next round begins. A run that ends before its kill does not count, and shortens the times that
follow. The next run starts at once, even while workers of the killed run are still there; these must end soon.
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
SHORTER, LONGER = 0.7, 1.15  # factors on the longest delay: after a run that ended before its kill, and after a kill
COMMANDS = ("run", "preprocess")  # each round runs one of them
PREPROCESS_SHARE = 1 / 3  # of the rounds
MANY_CLIPS = 2000
WORKERS_END_SECONDS = 20  # workers check twice a second whether the program still runs
STAGE_LINE = re.compile(rb"^([\w-]+): (missing|stale|done in) ", re.MULTILINE)  # a line of the console about a stage


@dataclass
class Tally:
    """Counts of what happened."""

    kills: int = 0
    half_written: int = 0  # kills that left a partial file beside its place
    ended_before: int = 0  # runs that ended before their kill
    stages: Counter[str] = field(default_factory=Counter)  # kills by the stage that ran
    differences: list[str] = field(default_factory=list)

    def differs(self, difference: str) -> None:
        """Note a difference from an undisturbed run."""
        self.differences.append(f"after {self.kills} kills: {difference}")


def run_suite(
    folder: Path, kills: int, seed: int, commands: Collection[str] = COMMANDS, clips: int = MANY_CLIPS
) -> Tally:
    """Kill the `commands` `kills` times in workspaces below `folder`; `clips` is the number for preprocess alone."""
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
    """Delete the outputs from a random stage on, kill the command up to `kills` times, then let it finish."""
    first = rng.randrange(len(scene.outputs))
    for path in (path for stage in scene.outputs[first:] for path in stage):
        path.unlink(missing_ok=True)
    children = []
    for _ in range(kills):
        longest = scene.longest_delay_seconds[first]
        child, killed = kill_once(scene, rng.uniform(0.03, 1.0) * longest, tally)
        children.append(child)
        compare(scene, tally, finished=not killed)
        scene.longest_delay_seconds[first] = min(scene.undisturbed_seconds, longest * (LONGER if killed else SHORTER))
        if not killed:
            break
    finish(scene.workspace, *scene.command)
    compare(scene, tally, finished=True)
    for path in scene.workspace.root.rglob("*.partial"):
        tally.differs(f"{path} was left by a finished run")
    for child in children:
        require_all_gone(child, tally)


def kill_once(scene: Scene, delay_seconds: float, tally: Tally) -> tuple[subprocess.Popen[bytes], bool]:
    """Start the command and kill it after a delay, unless it ends before.

    Return the process, and whether it was killed. The console output says which stage ran.
    """
    child = program(scene.workspace, *scene.command)
    try:
        _, output = child.communicate(timeout=delay_seconds)
    except subprocess.TimeoutExpired as late:
        output = late.stderr or b""
        child.kill()
        child.wait()
    if child.returncode != -signal.SIGKILL:
        tally.ended_before += 1
        if child.returncode:
            tally.differs(f"the program failed: {output.decode()[-1000:]}")
        return child, False
    tally.kills += 1
    tally.half_written += any(scene.workspace.root.rglob("*.partial"))
    stage_lines = STAGE_LINE.findall(output)
    name, state = stage_lines[-1] if stage_lines else (b"before the first stage", b"")
    tally.stages["between two stages" if state == b"done in" else name.decode()] += 1
    return child, True


def compare(scene: Scene, tally: Tally, finished: bool) -> None:
    """Note every output that differs from that of the undisturbed run, or that is missing after a finished run."""
    for name, path in scene.named():
        if path.exists():
            try:
                actual = fingerprint(path)
            except Exception as error:  # any error here is what the suite looks for
                actual = repr(error)
            if actual != scene.wanted[name]:
                tally.differs(f"{name}: {actual[:200]}")
        elif finished:
            tally.differs(f"{name} is missing after a finished run")


def require_all_gone(child: subprocess.Popen[bytes], tally: Tally) -> None:
    """Note when a worker of the killed process does not end: it keeps the process's standard error open."""
    if child.stderr is not None and not child.stderr.closed:
        try:
            child.communicate(timeout=WORKERS_END_SECONDS)
        except subprocess.TimeoutExpired:
            child.stderr.close()
            tally.differs(f"a worker of the killed process {child.pid} still runs")


def main() -> None:
    """Run the suite and print the counts; exit 1 when anything differed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--command", choices=COMMANDS, help="kill only this one")
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
