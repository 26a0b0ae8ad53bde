"""Reads thousands of broken inputs of every kind; each must be read, or refused with a message.

    python -m tests.fuzz.readers --files 10000 [--seed 0]

Kinds: HDF5 stores (skeletons, features, text), weights (safetensors, .pt), arrays (.npy, .npz), label pickles, zip
archives of clips, description CSVs, config.toml, lists of videos, layouts, and recordings of every kind of file (text,
JSON, arrays, MATLAB, BVH, pickles). A child process reads a batch of files, because a broken file can make libhdf5
kill its process. Such a crash is counted, and another child goes on with the next file.

It fails when an input makes its reader raise an error that does not become one paragraph, takes more than 10 seconds of
a core (not by the clock, so that it can run beside other work), makes a child grow by more than 300 MB, or kills it.
"""

import argparse
import faulthandler
import json
import signal
import subprocess
import sys
import tempfile
import warnings
from collections import Counter
from pathlib import Path
from types import FrameType

import numpy as np

from tests.shared.every_reader import READERS, write_seeds
from tests.shared.mutations import MUTATIONS, cut, flip_bits, splice

CPU_SECONDS_A_FILE = 10
HARD_SECONDS_A_FILE = 180  # by the clock: for what waits, and for a loop in a library, which ignores signals
MAX_GROWTH_BYTES = 300 * 10**6
BATCH_FILES = 500
ODD_NUMBERS = (0, 1, 0x7F, 0xFF, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0xFFFFFFFF, 1 << 40, (1 << 63) - 1, (1 << 64) - 1)
TEXT_KINDS = (
    "descriptions.csv", "config.toml", "label.pkl", "layout.toml", "csv.csv", "utkinect.txt", "mocap.bvh",
    "cross-subject.txt",
)  # fmt: skip


def change_number(content: bytes, rng: np.random.Generator) -> bytes:
    """Overwrite a number somewhere, such as a length, an offset or a count, often with a very large one."""
    width = int(rng.choice([1, 2, 4, 8]))
    place = int(rng.integers(max(1, len(content) - width)))
    odd = ODD_NUMBERS[int(rng.integers(len(ODD_NUMBERS)))] % (1 << 8 * width)
    return content[:place] + odd.to_bytes(width, "little") + content[place + width :]


def broken(kind: str, content: bytes, rng: np.random.Generator) -> bytes:
    """Change `content` one to three times."""
    if kind in TEXT_KINDS and rng.random() < 0.5:
        return MUTATIONS[int(rng.integers(len(MUTATIONS) - 1))](content, rng)  # the last one works on raw files only
    for _ in range(int(rng.integers(1, 4))):
        change = (cut, flip_bits, splice, change_number, change_number)[int(rng.integers(5))]
        content = change(content, rng) if content else content
    return content


def outcome(kind: str, path: Path) -> str:
    """Read one input; return "accepted", "refused", or what went wrong."""
    from data.errors import DataError
    from descriptions.errors import DescriptionError
    from models.errors import ModelError
    from pipeline.messages.errors import PipelineError

    try:
        READERS[kind](path)
    except (DataError, DescriptionError, ModelError, PipelineError) as error:
        return "refused" if str(error) else "refused without a reason"
    except Exception as error:  # count and show any error, and go on with the other inputs
        return f"{type(error).__name__}: {str(error)[:200]}"
    return "accepted"


def peak_bytes() -> int:
    """The peak memory of this process. (ru_maxrss would start at the peak of the parent.)"""
    status = Path("/proc/self/status").read_text("ascii")
    return 1024 * int(status.partition("VmHWM:")[2].split()[0])


def _too_slow(_signal: int, _frame: FrameType | None) -> None:
    raise TimeoutError(f"more than {CPU_SECONDS_A_FILE} seconds of a core")


def read_batch(folder: Path, kind: str, seed: int, start: int, stop: int) -> None:
    """In a child: break and read inputs `start` to `stop`; print each number, outcome and the growth in bytes."""
    warnings.simplefilter("error")
    signal.signal(signal.SIGPROF, _too_slow)
    whole = (folder / kind).read_bytes()
    outcome(kind, folder / kind)  # loads the libraries that the reader needs
    before = peak_bytes()
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch, kind)
        for number in range(start, stop):
            rng = np.random.default_rng((seed, list(READERS).index(kind), number))
            path.write_bytes(broken(kind, whole, rng))
            print(json.dumps([number]), flush=True)
            signal.setitimer(signal.ITIMER_PROF, CPU_SECONDS_A_FILE)
            faulthandler.dump_traceback_later(HARD_SECONDS_A_FILE, exit=True)
            what = outcome(kind, path)
            faulthandler.cancel_dump_traceback_later()
            signal.setitimer(signal.ITIMER_PROF, 0)
            grown = peak_bytes() - before
            print(json.dumps([number, what, grown]), flush=True)


def fuzz_kind(folder: Path, kind: str, files: int, seed: int) -> tuple[Counter[str], int]:
    """Read so many broken inputs of a kind; return the counted outcomes, and the most bytes by which a child grew."""
    outcomes, largest, start = Counter[str](), 0, 0
    while start < files:
        stop = min(files, start + BATCH_FILES)
        arguments = ["--child", kind, "--folder", str(folder), "--seed", str(seed), "--range", str(start), str(stop)]
        command = [sys.executable, "-m", "tests.fuzz.readers", *arguments]
        ended = subprocess.run(command, capture_output=True, text=True)
        lines = [json.loads(line) for line in ended.stdout.splitlines()]
        for _, what, grown in (line for line in lines if len(line) == 3):
            outcomes[what] += 1
            largest = max(largest, grown)
        if ended.returncode == 0:
            start = stop
        elif not lines:
            raise RuntimeError(f"{kind}: the child read nothing: {ended.stderr[-2000:]}")
        else:
            start = lines[-1][0] + 1
            how = " without end" if "Timeout" in ended.stderr else f" ended by {ended.returncode}"
            outcomes[f"crash: input {lines[-1][0]}{how}"] += 1
    return outcomes, largest


def main() -> int:
    """Print the outcomes of every kind; return 1 when one of them is wrong."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--files", type=int, default=10_000, help="in all, the same number of each kind")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--kind", choices=READERS, action="append", help="only this kind; may be repeated")
    parser.add_argument("--child", choices=READERS, help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--range", type=int, nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        read_batch(options.folder, options.child, options.seed, *options.range)
        return 0
    kinds = options.kind or list(READERS)
    files = -(-options.files // len(kinds))
    wrong: list[str] = []
    total = Counter[str]()
    print(f"{'kind':<20} {'inputs':>7} {'refused':>8} {'accepted':>9} {'crashes':>8} {'growth':>8}")
    with tempfile.TemporaryDirectory() as seeds:
        write_seeds(Path(seeds))
        for kind in kinds:
            outcomes, largest = fuzz_kind(Path(seeds), kind, files, options.seed)
            faults = {what: count for what, count in outcomes.items() if what not in ("refused", "accepted")}
            row = Counter(
                inputs=files, crashes=sum(faults.values()), **{k: outcomes[k] for k in ("refused", "accepted")}
            )
            total += row
            print(
                f"{kind:<20} {files:>7} {row['refused']:>8} {row['accepted']:>9} {row['crashes']:>8} "
                f"{largest / 1e6:>5.0f} MB",
                flush=True,
            )
            wrong += [f"{kind}: {count} x {what}" for what, count in faults.items()]
            wrong += [f"{kind}: grew by {largest} bytes"] if largest > MAX_GROWTH_BYTES else []
    print(", ".join(f"{what} {total[what]}" for what in ("inputs", "refused", "accepted", "crashes")))
    print(*wrong, sep="\n", end="\n" if wrong else "")
    return int(bool(wrong))


if __name__ == "__main__":
    sys.exit(main())
