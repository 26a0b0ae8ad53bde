"""Networks and clips for tests of the Shift-GCN. The weights are such that an error in any part changes the result."""

import torch
from torch import Tensor

from models.shift_gcn.network import ShiftGCN
from tests.shared.literal_shift_gcn import LiteralShiftGCN


def lively_network(num_classes: int, seed: int = 0, offset_frames: float = 3.0) -> ShiftGCN:
    """A network with masks, biases and norms far from their initial values, and shifts of up to `offset_frames`."""
    generator = torch.Generator().manual_seed(seed)
    network = ShiftGCN(num_classes, generator)
    with torch.no_grad():
        for name, parameter in network.named_parameters():
            if name.endswith("ypos"):
                parameter.mul_(offset_frames)
            else:
                parameter.add_(torch.randn(parameter.shape, generator=generator) * 0.1)
        for name, buffer in network.named_buffers():
            if name.endswith("running_mean"):
                buffer.normal_(0, 0.3, generator=generator)
            elif name.endswith("running_var"):
                buffer.uniform_(0.5, 2, generator=generator)
    return network


def literal_twin(network: ShiftGCN) -> LiteralShiftGCN:
    """The literal network with the same weights."""
    twin = LiteralShiftGCN(network.fc.out_features)
    unknown = twin.load_state_dict(network.state_dict(), strict=False)
    assert not unknown.unexpected_keys
    assert all("xpos" in key or ".gcn1.shift_" in key for key in unknown.missing_keys)
    return twin.to(network.fc.weight.dtype).train(network.training)


def published_state(network: ShiftGCN) -> dict[str, Tensor]:
    """The state in the layout of the published files: with x offsets and index tables as parameters."""
    state = {name: tensor.detach().clone() for name, tensor in literal_twin(network).state_dict().items()}
    for name in state:
        if name.endswith("xpos"):
            state[name].uniform_(-1e-9, 1e-9)
    return state


def made_clips(clips: int, frames: int, two_bodies: int, seed: int = 0) -> Tensor:
    """Noise (B, 3, T, 25, 2). The first `two_bodies` clips have a second body."""
    made = torch.randn(clips, 3, frames, 25, 2, generator=torch.Generator().manual_seed(seed))
    made[two_bodies:, ..., 1] = 0
    return made
