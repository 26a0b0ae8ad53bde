"""Measures which mistakes of recordings the checks of clips find: each mistake is made on purpose in good clips.

    python -m tests.data.checks.bench_checks CLIPS... [--layout NAME] [--fps 30] [--clips 40]

CLIPS are .skeleton files, and folders or zip archives of them; with --layout, recordings of that layout. Each is one
base, and all of it is held in memory. A mistake counts as found in a base
when at least half of its clips get a finding that the good clip does not have. It prints:

1. for each base, the good clips that get a finding (false alarms), of all of its clips;
2. a row for each mistake and a column for each base: the share of clips in which it is found, and the check that finds
   it most often;
3. for each base, how many of the mistakes are found, without those of which a single clip shows nothing (UNSEEN);
4. the time of a check of a clip of 80 frames.
"""

import argparse
import timeit
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from data.checks.findings import check_clip
from data.errors import DataError
from data.layouts.layout import load_layout
from data.raw.skeleton_file import parse_clip
from data.raw.sources import list_source
from data.recordings.readers import open_recording
from tests.data.checks.recording_mistakes import MISTAKES, UNSEEN, Mistake

Clip = tuple[str, NDArray[np.float32], float]  # name, joints (T, M, V, 3) in metres, frames a second
FOUND_SHARE = 0.5


def read_base(path: Path, fps: float) -> list[Clip]:
    """The clips of a .skeleton file, a folder or a zip archive of them. Says which can't be read."""
    clips: list[Clip] = []
    for source in sorted(list_source(path), key=str):
        try:
            clips.append((source.stem, parse_clip(source.read(), str(source)).joints, fps))
        except DataError as error:
            print(f"left out: {error}")
    return clips


def read_recording(path: Path, layout_name: str, fps: float) -> list[Clip]:
    """The clip of a recording of another layout. Frames a second are the file's own where it tells them."""
    layout = load_layout(layout_name)
    with path.open("rb") as stream:
        recording = open_recording(stream, str(path), layout)
        blocks = [layout.to_ntu(block.points) for block in recording.blocks]  # (t, M, V, 3) each; M may grow
    bodies = max(block.shape[1] for block in blocks)
    joints = np.concatenate([np.pad(b, ((0, 0), (0, bodies - b.shape[1]), (0, 0), (0, 0))) for b in blocks])
    return [(path.stem, np.nan_to_num(joints), recording.fps or fps)]


def checks_of(clip: Clip, mistake: Mistake | None = None) -> list[str]:
    """The checks that find something in a clip with a mistake, in their order."""
    _, joints, fps = clip
    if mistake:
        joints, fps = mistake.made(joints, fps)
    return [finding.check for finding in check_clip(joints, fps)]


def false_alarms(clips: Sequence[Clip]) -> str:
    """The number of good clips with a finding, and by which checks."""
    found = [checks_of(clip) for clip in clips]
    by_check = Counter(check for checks in found for check in checks)
    named = ", ".join(f"{check} {number}" for check, number in by_check.most_common())
    return f"{sum(map(bool, found))} of {len(clips)}{f' ({named})' if named else ''}"


def found_share(clips: Sequence[Clip], mistake: Mistake) -> tuple[float, str]:
    """The share of clips in which a mistake is found, and the check that finds it most often."""
    found = [[check for check in checks_of(clip, mistake) if check not in checks_of(clip)] for clip in clips]
    by_check = Counter(check for checks in found for check in checks)
    return sum(map(bool, found)) / len(clips), by_check.most_common(1)[0][0] if by_check else ""


def print_table(bases: Mapping[str, Sequence[Clip]], most_clips: int) -> None:
    """Print the false alarms, the mistakes found in each base, and the time of a check."""
    print("False alarms")
    for name, clips in bases.items():
        print(f"  {name:14} {false_alarms(clips)}")
    sampled = {
        name: [clips[index] for index in np.linspace(0, len(clips) - 1, min(most_clips, len(clips))).astype(int)]
        for name, clips in bases.items()
    }
    print(f"\n{'Mistake':42}" + "".join(f"{name[:20]:>21}" for name in bases))
    found: Counter[str] = Counter()
    for mistake in MISTAKES:
        cells = []
        for name, clips in sampled.items():
            share, check = found_share(clips, mistake)
            found[name] += share >= FOUND_SHARE and mistake.name not in UNSEEN
            cells.append(f"{check} {share:.0%}" if check else "-")
        print(f"{mistake.name:42}" + "".join(f"{cell:>21}" for cell in cells))
    print(f"{'found':42}" + "".join(f"{f'{found[name]} of {len(MISTAKES) - len(UNSEEN)}':>21}" for name in bases))
    joints = np.resize(next(iter(bases.values()))[0][1][:, :1], (80, 1, 25, 3))
    seconds = min(timeit.repeat(lambda: check_clip(joints, 30.0), number=100, repeat=20)) / 100
    print(f"\nA clip of 80 frames takes {1000 * seconds:.3f} ms.")


def main() -> None:
    """Read the bases and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else "")
    parser.add_argument("paths", nargs="+", type=Path, metavar="CLIPS")
    parser.add_argument("--layout", help="the layout of CLIPS, when they are no .skeleton files")
    parser.add_argument("--fps", type=float, default=30.0, help="frames a second of the clips, where they don't say")
    parser.add_argument("--clips", type=int, default=40, help="mistakes are made in so many clips of each base")
    arguments = parser.parse_args()
    layout, fps = arguments.layout, arguments.fps
    bases = {
        path.stem: read_recording(path, layout, fps) if layout else read_base(path, fps) for path in arguments.paths
    }
    print_table({name: clips for name, clips in bases.items() if clips}, arguments.clips)


if __name__ == "__main__":
    main()
