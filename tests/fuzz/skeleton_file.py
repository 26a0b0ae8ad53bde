"""Parses tens of thousands of broken raw files; each must be read, or refused with a message.

    python -m tests.fuzz.skeleton_file --files 20000 [--seed 0]

It fails in these cases:
- a file makes the parser raise anything but a RawFileError, takes more than 10 seconds of a core, or lets the process
  grow beyond 300 MB;
- the fast reader accepts a file that the careful reader refuses or reads differently;
- a recipe can't use a clip that was read.
"""

import argparse
import resource
import signal
import sys
from collections import Counter
from types import FrameType

import numpy as np

from data.clean.bodies import clean
from data.errors import RawFileError
from data.raw.skeleton_file import format_clip, parse_clip
from data.raw.skeleton_lines import COORDINATES, read_lines
from data.raw.skeleton_scan import scan
from data.recipes import RECIPES
from tests.shared.made_skeletons import full_clip, moving_clip
from tests.shared.mutations import mutate

CPU_SECONDS_A_FILE = 10
MAX_PEAK_BYTES = 300 * 10**6
GOOD_OUTCOMES = {"read", "refused", "no body"}


def seed_files(rng: np.random.Generator) -> list[bytes]:
    """Intact raw files to break: one and more bodies, bodies that come and go, both ways of writing."""
    files = [full_clip(moving_clip(rng, frames, bodies), rng) for frames, bodies in ((1, 1), (2, 2), (84, 1), (5, 6))]
    for frames, bodies in ((3, 1), (12, 3), (30, 2)):
        joints = moving_clip(rng, frames, bodies)
        joints[rng.random((frames, bodies)) < 0.3] = 0
        joints[0, 0] = 1
        files += [format_clip(joints), format_clip(joints, newline="\n")]
    return files


def outcome(content: bytes) -> str:
    """Read one file; return "read", "refused", "no body" or what went wrong."""
    fast = scan(content, COORDINATES)
    try:
        careful = read_lines(content, "file", COORDINATES)
    except RawFileError as error:
        if fast is not None:
            return f"the fast reader accepts what the careful one refuses ({error.reason})"
    else:
        same = fast is None or (
            fast.frames == careful.frames
            and np.array_equal(fast.frame, careful.frame)
            and np.array_equal(fast.place, careful.place)
            and np.array_equal(fast.body_id, careful.body_id)
            and np.array_equal(fast.values, careful.values)
        )
        if not same:
            return "the two readers differ"
    try:
        clip = parse_clip(content, "file")
    except RawFileError as error:
        return "refused" if error.reason else "refused without a reason"
    for recipe in RECIPES:
        try:
            clean(clip, recipe)
        except RawFileError:
            return "no body"
    return "read"


def _too_slow(_signal: int, _frame: FrameType | None) -> None:
    raise TimeoutError(f"more than {CPU_SECONDS_A_FILE} seconds of a core")


def fuzz(files: int, seed: int) -> Counter[str]:
    """Read so many broken files and count the outcomes."""
    rng = np.random.default_rng(seed)
    seeds, outcomes = seed_files(rng), Counter[str]()
    signal.signal(signal.SIGPROF, _too_slow)
    for number in range(files):
        content = mutate(seeds[int(rng.integers(len(seeds)))], rng)
        signal.setitimer(signal.ITIMER_PROF, CPU_SECONDS_A_FILE)
        try:
            outcomes[outcome(content)] += 1
        except Exception as error:  # count and show any error, and go on with the other files
            outcomes[f"file {number} failed with {type(error).__name__}: {error}"] += 1
    signal.setitimer(signal.ITIMER_PROF, 0)
    return outcomes


def main() -> int:
    """Print the outcomes; return 1 when one of them is wrong."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--files", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    outcomes = fuzz(options.files, options.seed)
    for what, number in outcomes.most_common():
        print(f"{number:8d}  {what}")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    print(f"peak memory {peak / 1e6:.0f} MB, limit {MAX_PEAK_BYTES / 1e6:.0f} MB")
    return int(bool(set(outcomes) - GOOD_OUTCOMES) or peak > MAX_PEAK_BYTES)


if __name__ == "__main__":
    sys.exit(main())
