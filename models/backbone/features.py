"""Features and logits of clips, from a trained Shift-GCN.

On a CPU every thread computes whole bodies of its own, which is faster than several threads at one product. A clip's
numbers depend on the clip alone: not on the batch, the order, or the number of threads.
"""

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from threading import local

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from models.shift_gcn.folded import FoldedShiftGCN, Scratch
from models.shift_gcn.network import BODIES, COORDINATES, FEATURES, JOINTS, ShiftGCN

LoadBatch = Callable[[NDArray[np.int64]], NDArray[np.float32]]  # clip indices (B,) -> clips (B, 3, T, 25, M)


@torch.inference_mode()
def clip_features(
    network: ShiftGCN,
    clips: NDArray[np.int64],
    load_batch: LoadBatch,
    batch_size: int,
    advance: Callable[[int], None] = lambda clips: None,
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Features (n, 256) and logits (n, classes) of the n `clips`, computed where the weights are.

    `batch_size` clips are read at a time, and memory does not grow with n. `advance` is told the number of clips after
    each batch.
    """
    was_training = network.training
    network.eval()
    features = np.empty((len(clips), FEATURES), np.float32)
    logits = np.empty((len(clips), network.fc.out_features), np.float32)
    device = network.fc.weight.device
    with _threads() if device.type == "cpu" else _no_threads() as executor:
        compute = _FeaturesOnCPU(network, executor).features if executor else network.features
        for start in range(0, len(clips), batch_size):
            batch = slice(start, min(start + batch_size, len(clips)))
            found = compute(torch.from_numpy(load_batch(clips[batch])).to(device))  # (B, 256)
            features[batch] = found.cpu().numpy()
            logits[batch] = torch.stack([network.fc(feature) for feature in found]).cpu().numpy()
            advance(batch.stop - start)
    network.train(was_training)
    return features, logits


class _FeaturesOnCPU:
    """Folds the network once for each length of clips, and computes an empty second body once."""

    def __init__(self, network: ShiftGCN, executor: ThreadPoolExecutor) -> None:
        self._network, self._executor = network, executor
        self._folded: dict[int, tuple[FoldedShiftGCN, Future[Tensor]]] = {}
        self._thread = local()

    def features(self, clips: Tensor) -> Tensor:
        """Clips (B, 3, T, 25, M) -> (B, 256)."""
        batch, _, frames, _, bodies = clips.shape
        folded, empty = self._for(frames)
        jobs = [
            (clip, slot) for slot in range(bodies) for clip in range(batch) if slot == 0 or clips[clip, ..., 1].any()
        ]
        both = torch.zeros(batch, BODIES, FEATURES)
        found = self._executor.map(lambda job: self._body(folded, clips[job[0], ..., job[1]], job[1]), jobs)
        both[:, 1] = empty.result()
        for (clip, slot), feature in zip(jobs, found, strict=True):
            both[clip, slot] = feature
        return both.mean(1)

    def _for(self, frames: int) -> tuple[FoldedShiftGCN, "Future[Tensor]"]:
        """The network for clips of `frames` frames, and the features (256,) of an empty second body."""
        if frames not in self._folded:
            folded = FoldedShiftGCN(self._network, frames)
            empty = torch.zeros(COORDINATES, frames, JOINTS)
            self._folded[frames] = folded, self._executor.submit(self._body, folded, empty, 1)
        return self._folded[frames]

    @torch.inference_mode()  # which is a state of each thread
    def _body(self, folded: FoldedShiftGCN, body: Tensor, slot: int) -> Tensor:
        if not hasattr(self._thread, "scratch"):
            self._thread.scratch = Scratch()
        return folded.body_features(body, slot, self._thread.scratch)


@contextmanager
def _threads() -> Iterator[ThreadPoolExecutor]:
    """As many workers as torch has threads, each computing on one; afterwards torch has its threads back."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with ThreadPoolExecutor(threads) as executor:
            yield executor
    finally:
        torch.set_num_threads(threads)


@contextmanager
def _no_threads() -> Iterator[None]:
    yield None
