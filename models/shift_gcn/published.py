"""The constants in published Shift-GCN checkpoints, which this implementation has no tensors for.

Published files hold the spatial shifts as tables of row numbers, and an x offset for each temporal shift, which
training leaves near 0. Here both are fixed, so they are checked and then left out.
"""

import re
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from models.backbone.protocol import JOINTS
from models.errors import ModelError
from models.shift_gcn.layers import shift_rows

LARGEST_X_OFFSET = 1e-6
_X_OFFSET = re.compile(r"l\d+\.tcn1\.shift_(in|out)\.xpos")
_ROWS = re.compile(r"l\d+\.gcn1\.shift_(in|out)")


def without_constants(path: Path, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """`tensors` without the x offsets and row tables. Raises ModelError when one is not what this network computes."""
    kept: dict[str, Tensor] = {}
    for name, tensor in tensors.items():
        if _X_OFFSET.fullmatch(name):
            largest = float(tensor.double().abs().max()) if tensor.numel() else 0.0
            if not largest <= LARGEST_X_OFFSET:
                raise ModelError(f"{path}: {name} reaches {largest:.3g}; only x offsets of 0 are supported")
        elif _ROWS.fullmatch(name):
            rows = shift_rows(max(1, tensor.numel() // JOINTS))
            if not torch.equal(tensor.cpu().long(), rows if name.endswith("in") else rows.argsort()):
                raise ModelError(f"{path}: {name} is another spatial shift than Shift-GCN's non-local one")
        else:
            kept[name] = tensor
    return kept
