import numpy as np
import pytest
from torch import Tensor

from models.backbone.features import clip_features
from models.shift_gcn.folded import Buffers, FoldedShiftGCN
from tests.shared.made_networks import lively_network, made_clips

CLIPS = made_clips(7, 16, 3).numpy()


def test_an_empty_second_body_is_computed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    computed: list[int] = []
    compute = FoldedShiftGCN.body_features

    def counting(self: FoldedShiftGCN, body: Tensor, slot: int, buffers: Buffers) -> Tensor:
        computed.append(slot)
        return compute(self, body, slot, buffers)

    monkeypatch.setattr(FoldedShiftGCN, "body_features", counting)
    clip_features(lively_network(3), np.arange(7), lambda clips: CLIPS[clips], 2)
    assert computed.count(0) == 7
    assert computed.count(1) == 3 + 1
