"""Features and logits of clips, from a trained Shift-GCN."""

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray

from models.shift_gcn import FEATURES, ShiftGCN

LoadBatch = Callable[[NDArray[np.int64]], NDArray[np.float32]]  # clip indices (B,) -> clips (B, 3, T, 25, 2)


@torch.inference_mode()
def clip_features(
    network: ShiftGCN,
    clips: NDArray[np.int64],
    load_batch: LoadBatch,
    batch_size: int,
    advance: Callable[[int], None] = lambda clips: None,
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Features (n, 256) and logits (n, classes) of the n `clips`, computed where the weights are.

    `advance` is told the number of clips after each batch.
    """
    network.eval()
    device = network.fc.weight.device
    features = np.empty((len(clips), FEATURES), np.float32)
    logits = np.empty((len(clips), network.fc.out_features), np.float32)
    for start in range(0, len(clips), batch_size):
        batch = slice(start, min(start + batch_size, len(clips)))
        found = network.features(torch.from_numpy(load_batch(clips[batch])).to(device))
        features[batch] = found.cpu().numpy()
        logits[batch] = network.fc(found).cpu().numpy()
        advance(batch.stop - start)
    return features, logits
