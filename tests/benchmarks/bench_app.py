"""How long the app takes to start, to read a clip, and to answer after a sentence was edited.

python -m tests.benchmarks.bench_app WORKSPACE, with a finished run, as that of `fsvae-pipe demo`. The browser's own
time comes on top.
"""

import sys
import time
from pathlib import Path

import numpy as np

EDITS = 30


def main(workspace: str) -> None:
    start = time.perf_counter()
    import gradio  # noqa: F401  its import is a part of the start

    from data.recordings.windows import Windows
    from pipeline.app.engine import Engine
    from pipeline.app.view import shown
    from pipeline.predict.trained_run import open_run

    engine = Engine(open_run(Path(workspace) / "runs" / "default"))
    print(f"start: {time.perf_counter() - start:.1f} s")
    names = [names[0] for names in engine.stored.values()]
    start = time.perf_counter()
    clip = engine.load_stored(names[0], Windows(2.0, 0.5))
    print(f"a clip of the workspace: {time.perf_counter() - start:.2f} s")
    times_s = []
    for number in range(EDITS):
        rows = [list(row) for row in engine.unseen]
        rows[0][1] = f"One hand sweeps to and fro {number} times beside the head."
        start = time.perf_counter()
        shown(clip, engine.reply(clip, rows), engine.run)
        times_s.append(time.perf_counter() - start)
    print(f"an answer after an edited sentence: median {np.median(times_s):.3f} s, slowest {max(times_s):.3f} s")


if __name__ == "__main__":
    main(*sys.argv[1:])
