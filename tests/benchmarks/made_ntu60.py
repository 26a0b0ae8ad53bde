"""Writes an archive with as many clips as NTU RGB+D 60, under the same names, to measure the program at full size.

    python -m tests.benchmarks.made_ntu60 ntu60.zip [--clips 600]

The names are those of 60 actions, 3 cameras, 2 replications and 158 pairs of a setup and a subject. The official list
of missing clips names 107 of these pairs. The others are filled in, so that cross-subject divides the clips as in the
data set: 40,320 train and 16,560 test, and 40,091 and 16,487 without the missing ones.

The clips are made. They have all twelve numbers of a joint and the lengths of NTU RGB+D: 84 frames on average, and two
bodies from A050 on. An action is one of the demo's 25, at one of three speeds, so a backbone can learn it; the texts
of NTU's actions do not describe it. The clips of a subject's action are stretches of one performance. So each clip is
another one, and making it takes no longer than packing it. One subject's performances are in memory at a time.
"""

import argparse
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from data.clip_name import ClipName
from data.protocols import training_clips
from data.raw.sources import missing_clips
from data.settings import DatasetSettings
from data.stores.files import replacing
from pipeline.demo.made_actions import ACTIONS
from pipeline.demo.made_clips import ZIP_TIME, MadeDataset, clip_joints, raw_name
from tests.shared.made_skeletons import full_clip

CAMERAS, REPLICATIONS, NUM_ACTIONS = 3, 2, 60
SETUPS, SUBJECTS = 17, 40
TRAINING_PLACES, TEST_PLACES = 112, 46  # pairs of a setup and a subject
TWO_BODIES_FROM = 50  # as in NTU RGB+D, where A050 and later are of two people
FRAMES = (30, 300)  # of the shortest and of the longest clip
PARTNER_AT_M = np.array([0.9, 0.0, 0.0])
NEWLINE = b"\r\n"
PROGRESS_EVERY = 500

Place = tuple[int, int]  # setup, subject


def places() -> list[Place]:
    """The 158 pairs of a setup and a subject: those of the official list of missing clips, and others."""
    known = {(name.setup, name.subject) for name in map(ClipName.parse, missing_clips("ntu60"))}
    every = [(setup, subject) for setup in range(1, SETUPS + 1) for subject in range(1, SUBJECTS + 1)]
    fewest_first = sorted(every, key=lambda place: (sum(place[1] == subject for _, subject in known), place))
    wanted = {True: TRAINING_PLACES, False: TEST_PLACES}
    chosen: list[Place] = []
    for place in sorted(known) + [place for place in fewest_first if place not in known]:
        if wanted[trains(place[1])]:
            wanted[trains(place[1])] -= 1
            chosen.append(place)
    return sorted(chosen, key=lambda place: (place[1], place[0]))


def trains(subject: int) -> bool:
    """Whether the protocol cross-subject trains on `subject`."""
    every = np.arange(1, SUBJECTS + 1)
    settings = DatasetSettings(name="ntu60", protocol="xsub")
    return bool(training_clips(settings, every, every, every)[subject - 1])


def names(clips: int | None = None) -> list[ClipName]:
    """The names, subject by subject: all 56,880, or so many of them, evenly chosen."""
    every = [
        ClipName(setup, camera, subject, replication, action)
        for setup, subject in places()
        for camera in range(1, CAMERAS + 1)
        for replication in range(1, REPLICATIONS + 1)
        for action in range(1, NUM_ACTIONS + 1)
    ]
    chosen = np.linspace(0, len(every) - 1, clips or len(every)).astype(int)
    return [every[index] for index in chosen]


def performance(subject: int, action: int) -> list[bytes]:
    """The text of each frame of a long clip, in which `subject` does `action`."""
    rng = np.random.default_rng((subject, action))
    faster = 1 + (action - 1) // len(ACTIONS)
    length = faster * FRAMES[1]
    made = MadeDataset((), SUBJECTS, 1, (length, length), seed=0)
    shown = 1 + (action - 1) % len(ACTIONS)
    bodies = [clip_joints(ClipName(1, 2, subject, 1, shown), made, rng)]
    if action >= TWO_BODIES_FROM:
        partner = clip_joints(ClipName(1, 2, 1 + subject % SUBJECTS, 1, shown), made, rng)
        bodies.append(partner + PARTNER_AT_M)
    joints = np.stack(bodies, axis=1)[::faster]  # (T, M, 25, 3)
    lines = full_clip(joints, rng).split(NEWLINE)[1:-1]
    lines_a_frame = len(lines) // len(joints)
    return [NEWLINE.join(lines[first : first + lines_a_frame]) for first in range(0, len(lines), lines_a_frame)]


def contents(clips: list[ClipName]) -> Iterator[tuple[ClipName, bytes]]:
    """Each clip's name and raw file. `clips` must be in the order of `names`."""
    performances: dict[int, list[bytes]] = {}
    performer = 0
    for clip in clips:
        if clip.subject != performer:
            performer, performances = clip.subject, {}
        if clip.action not in performances:
            performances[clip.action] = performance(performer, clip.action)
        frames = performances[clip.action]
        rng = np.random.default_rng((clip.setup, clip.camera, clip.subject, clip.replication, clip.action))
        length = int(np.clip(rng.gamma(4, 13.5) + 30, *FRAMES))
        first = int(rng.integers(0, len(frames) - length + 1))
        yield clip, NEWLINE.join([str(length).encode(), *frames[first : first + length], b""])


def write_archive(path: Path, clips: list[ClipName]) -> None:
    """Write the archive, clip by clip, and a line of progress to standard error."""
    with replacing(path) as place, zipfile.ZipFile(place, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for number, (clip, content) in enumerate(contents(clips), start=1):
            entry = zipfile.ZipInfo(f"nturgb+d_skeletons/{raw_name(clip)}", ZIP_TIME)
            archive.writestr(entry, content, zipfile.ZIP_DEFLATED, compresslevel=1)
            if number % PROGRESS_EVERY == 0 or number == len(clips):
                sys.stderr.write(f"\r{number} of {len(clips)} clips")
    sys.stderr.write("\n")


def main() -> None:
    """Write the archive."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("archive", type=Path)
    parser.add_argument("--clips", type=int, help="how many; all by default")
    arguments = parser.parse_args()
    write_archive(arguments.archive, names(arguments.clips))


if __name__ == "__main__":
    main()
