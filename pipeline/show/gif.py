"""Draws moving skeletons as a GIF with Pillow, in the front view of skeleton_player.js.

Letters: T frames, M bodies, V = 25 joints.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from data.joints import BONES
from data.stores.files import replacing
from pipeline.pages.skeleton_player import SIDES, MovingSkeleton

SIZE_PIXELS = 360  # width and height of the square in which a clip is drawn
FINER = 2  # a frame is drawn larger by this factor and then shrunk, for smooth edges
PITCH = 0.12  # radians by which the viewer looks down
COLOURS = {"left": "#0072b2", "right": "#d55e00", "middle": "#6e7781", "ink": "#1b1f24", "paper": "#ffffff"}
GIF_TICK_SECONDS = 0.01  # GIFs measure time in hundredths of a second


def write_gif(path: Path, clips: Sequence[MovingSkeleton], *, joint_labels: bool, body_labels: bool) -> None:
    """Write `clips` side by side. Shorter clips repeat until the longest one ends."""
    pictures = [_Picture(clip, joint_labels, body_labels) for clip in clips]
    frames = max(len(clip.joints) for clip in clips)
    columns = int(np.ceil(np.sqrt(len(clips))))
    rows = -(-len(clips) // columns)
    images = []
    for frame in range(frames):
        sheet = Image.new("RGB", (columns * SIZE_PIXELS, rows * SIZE_PIXELS), COLOURS["paper"])
        for index, picture in enumerate(pictures):
            corner = (index % columns * SIZE_PIXELS, index // columns * SIZE_PIXELS)
            sheet.paste(picture.draw(frame % len(picture.clip.joints)), corner)
        images.append(sheet.quantize(32, dither=Image.Dither.NONE))
    ends = np.rint(np.arange(frames + 1) / clips[0].frames_per_second / GIF_TICK_SECONDS)
    durations_ms = (np.diff(ends).clip(2) * 1000 * GIF_TICK_SECONDS).astype(int).tolist()
    with replacing(path) as partial:
        images[0].save(
            partial, format="GIF", save_all=True, append_images=images[1:], duration=durations_ms, loop=0, disposal=1
        )


class _Picture:
    """One clip, scaled to its square."""

    def __init__(self, clip: MovingSkeleton, joint_labels: bool, body_labels: bool) -> None:
        self.clip, self.joint_labels, self.body_labels = clip, joint_labels, body_labels
        self.side = SIZE_PIXELS * FINER
        self.font = ImageFont.load_default(11 * FINER)
        self.present = clip.present
        points = clip.joints.astype(np.float64) @ clip.view().T  # (T, M, V, 3) right, up, towards the viewer
        seen = points[self.present]  # (joints, 3)
        middle = (seen.min(axis=0) + seen.max(axis=0)) / 2 if len(seen) else np.zeros(3)
        sin, cos = np.sin(PITCH), np.cos(PITCH)
        right, up, near = np.moveaxis(points - middle, -1, 0)
        flat_m = np.stack((right, near * sin - up * cos), axis=-1)  # (T, M, V, 2) right, down on the picture
        reach_m = float(np.abs(flat_m[self.present]).max(initial=0.05))
        self.pixels = flat_m * (0.42 * self.side / reach_m) + self.side / 2  # (T, M, V, 2)

    def draw(self, frame: int) -> Image.Image:
        image = Image.new("RGB", (self.side, self.side), COLOURS["paper"])
        canvas = ImageDraw.Draw(image)
        for body in range(self.clip.joints.shape[1]):
            self._draw_body(canvas, self.pixels[frame, body], self.present[frame, body], body)
        lines = (self.clip.name, f"frame {frame + 1} of {len(self.clip.joints)}")
        canvas.text((6 * FINER, 4 * FINER), "\n".join(lines), COLOURS["ink"], self.font)
        canvas.text((6 * FINER, self.side - 18 * FINER), "left: circles", COLOURS["left"], self.font)
        canvas.text((88 * FINER, self.side - 18 * FINER), "right: squares", COLOURS["right"], self.font)
        return image.resize((SIZE_PIXELS, SIZE_PIXELS), Image.Resampling.BOX)

    def _draw_body(
        self, canvas: ImageDraw.ImageDraw, pixels: NDArray[np.float64], present: NDArray[np.bool_], body: int
    ) -> None:
        """Draw one body in one frame: `pixels` are the positions of its joints (V, 2), `present` is (V,)."""
        for parent, child in BONES:
            if present[parent] and present[child]:
                ends = (*pixels[parent], *pixels[child])
                canvas.line(ends, COLOURS[SIDES[child]], (2 if body else 3) * FINER)
        size = (2 if body else 3) * FINER
        for joint in np.flatnonzero(present):
            x, y = pixels[joint]
            box = (x - size, y - size, x + size, y + size)
            draw = canvas.rectangle if SIDES[joint] == "right" else canvas.ellipse
            draw(box, COLOURS[SIDES[joint]])
            if self.joint_labels:
                canvas.text((x + size, y - 5 * size), str(joint), COLOURS["ink"], self.font)
        if self.body_labels and present.any():
            x, y = pixels[present].min(axis=0)
            canvas.text((x, max(y - 20 * FINER, 0)), f"body {body + 1}", COLOURS["ink"], self.font)
