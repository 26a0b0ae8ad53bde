"""Features and logits of clips, from a trained backbone.

On a CPU, every thread computes its own clips (or bodies), which is faster than several threads at one matrix product.
A clip's numbers there depend on the clip alone: not on the batch, the order, or the number of threads.
"""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import numpy as np
import torch
from numpy.typing import NDArray

from models.ahead import ahead_of
from models.backbone.protocol import Backbone

LoadBatch = Callable[[NDArray[np.int64]], NDArray[np.float32]]  # clip indices (B,) -> clips (B, 3, T, 25, M)


@torch.inference_mode()
def clip_features(
    network: Backbone,
    clips: NDArray[np.int64],
    load_batch: LoadBatch,
    batch_size: int,
    advance: Callable[[int], None] = lambda clips: None,
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Compute the features (n, D) and logits (n, classes) of the n `clips`, on the device of the weights.

    `batch_size` clips are read at a time, so memory does not grow with n. A GPU computes them while the next are read.
    After each batch, `advance` is called with its number of clips.
    """
    was_training = network.training
    network.eval()
    features = np.empty((len(clips), network.num_features), np.float32)
    logits = np.empty((len(clips), network.num_classes), np.float32)
    device = network.fc.weight.device
    with _threads() if device.type == "cpu" else _no_threads() as executor:
        compute = network.cpu_features(executor) if executor else network.features
        batches = [slice(start, start + batch_size) for start in range(0, len(clips), batch_size)]
        loaded = ahead_of(device, lambda batch: load_batch(clips[batch]), batches)
        for batch, rows in zip(batches, loaded, strict=True):
            of_batch = compute(torch.from_numpy(rows).to(device))  # (B, D)
            features[batch] = of_batch.cpu().numpy()
            logits[batch] = torch.stack([network.fc(feature) for feature in of_batch]).cpu().numpy()
            advance(len(rows))
    network.train(was_training)
    return features, logits


@contextmanager
def _threads() -> Iterator[ThreadPoolExecutor]:
    """Yield a pool with a worker for each of torch's threads. Meanwhile torch itself uses one thread in each worker."""
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
