"""Features of clips on a CPU, body by body: the network is folded once, and an empty second body is computed once.

Letters: B clips, T frames, M bodies a clip (1 or 2), D = 256 features.
"""

from concurrent.futures import Executor, Future
from threading import local
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from models.backbone.protocol import BODIES, COORDINATES, JOINTS
from models.shift_gcn.folded import Buffers, FoldedShiftGCN

if TYPE_CHECKING:
    from models.shift_gcn.network import ShiftGCN


class CPUFeatures:
    """Computes the bodies of a batch in the threads of `executor`."""

    def __init__(self, network: "ShiftGCN", executor: Executor) -> None:
        self._network, self._executor = network, executor
        self._folded: dict[int, tuple[FoldedShiftGCN, Future[Tensor]]] = {}  # by the number of frames
        self._thread = local()

    def features(self, clips: Tensor) -> Tensor:
        """Clips (B, 3, T, 25, M) -> (B, 256), the mean of both bodies."""
        batch, _, frames, _, bodies = clips.shape
        folded, empty = self._for(frames)
        jobs = [
            (clip, slot) for slot in range(bodies) for clip in range(batch) if slot == 0 or clips[clip, ..., 1].any()
        ]
        both = torch.zeros(batch, BODIES, self._network.num_features)
        of_bodies = self._executor.map(lambda job: self._body(folded, clips[job[0], ..., job[1]], job[1]), jobs)
        both[:, 1] = empty.result()
        for (clip, slot), feature in zip(jobs, of_bodies, strict=True):
            both[clip, slot] = feature
        return both.mean(1)

    def _for(self, frames: int) -> tuple[FoldedShiftGCN, "Future[Tensor]"]:
        """The network folded for clips of `frames` frames, and the features (256,) of an empty second body."""
        if frames not in self._folded:
            folded = FoldedShiftGCN(self._network, frames)
            empty = torch.zeros(COORDINATES, frames, JOINTS)
            self._folded[frames] = folded, self._executor.submit(self._body, folded, empty, 1)
        return self._folded[frames]

    @torch.inference_mode()  # each thread has its own mode, so it is set in the function that the thread runs
    def _body(self, folded: FoldedShiftGCN, body: Tensor, slot: int) -> Tensor:
        if not hasattr(self._thread, "buffers"):
            self._thread.buffers = Buffers()
        return folded.body_features(body, slot, self._thread.buffers)
