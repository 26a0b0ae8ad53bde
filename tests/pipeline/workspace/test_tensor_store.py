"""States of members on disk: what is not a number is refused by name."""

from pathlib import Path

import pytest
import torch

from data.errors import DataError
from pipeline.workspace.tensor_store import read_state, tensor_name, write_tensors
from tests.shared.made_features import Made, made_workspace


def test_a_state_with_nan_is_refused_and_named(tmp_path: Path) -> None:
    context = made_workspace(tmp_path, Made(actions=8, unseen=(3, 7), val_unseen=(2, 5)))
    path = context.run.model
    path.parent.mkdir(parents=True)
    good, bad = torch.ones(2), torch.tensor([1.0, torch.nan])
    tensors = {tensor_name(5, "test", 1, "a"): good, tensor_name(5, "val", 1, "b"): bad}
    write_tensors(path, tensors, {})
    assert torch.equal(read_state(path, 5, "test", 1)["a"], good)
    with pytest.raises(DataError, match="seed 5, val phase, cycle 1: NaN or infinite numbers in b"):
        read_state(path, 5, "val", 1)
