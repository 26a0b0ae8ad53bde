"""Measures the speed of the Shift-GCN against a literal transcription.

    python -m tests.benchmarks.bench_shift_gcn [--repeats 3]

Prints the time of a clip in evaluation at T = 300 (features as `extract` computes them), the time of a training step
(T = 64, batch 16), both ratios, and the share of the machine's matrix-multiply speed that evaluation reaches.
"""

import argparse
import time
from collections.abc import Callable

import numpy as np
import torch
from torch import nn

from models.backbone.features import clip_features
from models.backbone.protocol import JOINTS
from models.shift_gcn.network import UNITS
from tests.shared.made_networks import literal_twin, lively_network, made_clips

CLIPS = 32  # they share the cost of folding the network and of an empty second body
LITERAL_CLIPS = 4
MATRIX = 2048


def best_seconds(job: Callable[[], object], repeats: int) -> float:
    """The shortest time of `repeats` runs, after one that does not count."""
    job()
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        job()
        times.append(time.perf_counter() - start)
    return min(times)


def products(frames: int) -> int:
    """The floating-point operations of the matrix products for one body of `frames` frames."""
    total = 0
    for channels_in, channels_out, stride, _ in UNITS:
        linears = channels_in * channels_out * (2 if channels_in != channels_out else 1) + channels_out**2
        total += 2 * JOINTS * frames * linears
        frames //= stride
        if channels_in != channels_out and channels_in > 3:
            total += 2 * JOINTS * frames * channels_in * channels_out
    return total


def train_step(network: nn.Module, clips: torch.Tensor) -> None:
    """One forward and backward pass."""
    network.zero_grad()
    torch.autograd.backward(nn.functional.cross_entropy(network(clips), torch.arange(len(clips))))


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=3)
    repeats = parser.parse_args().repeats
    square = torch.randn(MATRIX, MATRIX)
    speed = 2 * MATRIX**3 / best_seconds(lambda: square @ square, repeats)
    print(f"{torch.get_num_threads()} threads; matrix products run at {speed / 1e9:.0f} GFLOP/s")
    network = lively_network(60).eval()
    literal = literal_twin(network)
    for bodies in (2, 1):
        clips = made_clips(CLIPS, 300, CLIPS if bodies == 2 else 0)
        numbers, batches = np.arange(CLIPS), clips.numpy()
        ours = best_seconds(lambda: clip_features(network, numbers, lambda rows: batches[rows], CLIPS), repeats) / CLIPS  # noqa: B023
        with torch.inference_mode():
            theirs = best_seconds(lambda: literal(clips[:LITERAL_CLIPS]), repeats) / LITERAL_CLIPS  # noqa: B023
        share = bodies * products(300) / ours / speed
        print(
            f"evaluation, T = 300, {bodies} bodies a clip: {1000 * ours:.1f} ms, literal {1000 * theirs:.1f} ms, "
            f"{theirs / ours:.1f} times; {100 * share:.0f} % of the speed of matrix products"
        )
    network.train()
    literal.train()
    for bodies in (2, 1):
        clips = made_clips(16, 64, 16 if bodies == 2 else 0)
        ours = best_seconds(lambda: train_step(network, clips), repeats)  # noqa: B023
        theirs = best_seconds(lambda: train_step(literal, clips), 1)  # noqa: B023
        print(
            f"training step, T = 64, batch 16, {bodies} bodies a clip: {ours:.2f} s, literal {theirs:.2f} s, "
            f"{theirs / ours:.1f} times"
        )


if __name__ == "__main__":
    main()
