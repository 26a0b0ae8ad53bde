"""Make the pictures of README.md from the running program, on a finished demo.

fsvae-pipe demo && python docs/pictures.py fsvae-demo

It needs the extra `test` and Chromium. The app shows its first clip; the timeline is that of a made recording of four
unseen actions, one after another.
"""

import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
from PIL import Image
from playwright.sync_api import Page, sync_playwright

from data.clip_name import ClipName
from data.raw.skeleton_file import format_clip
from pipeline.demo.demo import UNSEEN, demo_dataset
from pipeline.demo.made_clips import clip_joints

PICTURES = Path(__file__).parent / "pictures"
PORT = 7899
WIDTH_PX, COLOURS = 1280, 96
SECONDS = 4  # of each action
PROGRAM = [sys.executable, "-m", "pipeline"]


def recording() -> bytes:
    """Four unseen actions of one made person, as a .skeleton file."""
    made = replace(demo_dataset(5), frames=(30 * SECONDS, 30 * SECONDS))
    rng = np.random.default_rng(1)
    parts = [clip_joints(ClipName(1, 2, 4, 1, int(action[1:])), made, rng) for action in UNSEEN[:4]]
    return format_clip(np.concatenate(parts).astype(np.float32)[:, None])


def keep(page: Page, name: str, height_px: int) -> None:
    """Write the top of `page` as docs/pictures/`name`, in few colours."""
    page.set_viewport_size({"width": WIDTH_PX, "height": height_px})
    page.wait_for_timeout(2000)  # the skeleton moves on into its first action
    with tempfile.TemporaryDirectory() as folder:
        shot = Path(folder) / name
        page.screenshot(path=shot)
        Image.open(shot).convert("RGB").quantize(COLOURS, Image.Quantize.MAXCOVERAGE).save(
            PICTURES / name, optimize=True
        )
    sys.stdout.write(f"wrote {PICTURES / name}, {(PICTURES / name).stat().st_size / 1000:.0f} kB\n")


def main(workspace: str) -> None:
    """Write docs/pictures/app.png and timeline.png."""
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        clip = Path(folder) / "recording.skeleton"
        clip.write_bytes(recording())
        timeline = Path(folder) / "timeline.html"
        options = ["--mode", "zsl", "--window", "2s", "--page", str(timeline)]
        subprocess.run([*PROGRAM, "-w", workspace, "predict", str(clip), *options], check=True)
        chromium = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        page = chromium.new_page(color_scheme="light")
        page.goto(timeline.as_uri())
        keep(page, "timeline.png", 1010)
        app = subprocess.Popen([*PROGRAM, "-w", workspace, "app", "--no-browser", "--port", str(PORT)])
        try:
            while True:
                try:
                    page.goto(f"http://127.0.0.1:{PORT}")
                    break
                except Exception:  # it has not started yet
                    if app.poll() is not None:
                        raise
                    time.sleep(1)
            page.set_default_timeout(120_000)
            page.wait_for_selector("#answer ol")
            keep(page, "app.png", 2040)
        finally:
            app.terminate()
            app.wait()


if __name__ == "__main__":
    main(*sys.argv[1:])
