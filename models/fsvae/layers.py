"""Linear layers in training, without autograd: in the same memory step after step, parameters in one flat tensor.

Letters: B batch, D features.
"""

import math

import torch
from torch import Tensor, nn

# Autograd's own kernels: one pass over memory each, written to where they are told to
relu_backward = torch.ops.aten.threshold_backward.grad_input
squared_error_backward = torch.ops.aten.mse_loss_backward.grad_input
MEAN = 1  # ATen's number of the reduction


class Scratch:
    """Memory that is used again in every step, by name."""

    def __init__(self, device: torch.device) -> None:
        self._kept: dict[str, Tensor] = {}
        self._views: dict[tuple[str, tuple[int, ...]], Tensor] = {}
        self._device = device

    def __call__(self, name: str, *shape: int) -> Tensor:
        """A tensor of `shape` that holds anything; the same memory as the last time under `name`, if that is enough."""
        view = self._views.get((name, shape))
        return self._new_view(name, shape) if view is None else view

    def _new_view(self, name: str, shape: tuple[int, ...]) -> Tensor:
        size = math.prod(shape)
        kept = self._kept.get(name)
        if kept is None or len(kept) < size:
            kept = self._kept[name] = torch.empty(size, device=self._device)
            self._views = {key: view for key, view in self._views.items() if key[0] != name}
        view = self._views[name, shape] = kept[:size].view(shape)
        return view

    def rows(self, name: str, table: Tensor, index: Tensor) -> Tensor:
        """Rows of a table (N, D) by `index` (B,), as (B, D)."""
        return torch.index_select(table, 0, index, out=self(name, len(index), table.shape[1]))


class Layers:
    """Linear layers with a ReLU between every two, and behind the last where said."""

    def __init__(self, layers: list[nn.Linear], relu_behind: bool, name: str, scratch: Scratch) -> None:
        self.layers, self.relu_behind, self.name, self.scratch = layers, relu_behind, name, scratch
        self.values: list[Tensor] = []  # what each layer was given, and what the last one gave

    def forward(self, rows: Tensor, into: Tensor | None = None) -> Tensor:
        """(B, D) -> (B, D') of the last layer, in `into` where given; valid until the next call."""
        self.values = [rows]
        for place, layer in enumerate(self.layers):
            out = into if place == len(self.layers) - 1 else None
            if out is None:
                out = self.scratch(f"{self.name} {place}", len(rows), layer.out_features)
            rows = torch.addmm(layer.bias, rows, layer.weight.T, out=out)  # (B, D')
            if self.relu_behind or place < len(self.layers) - 1:
                rows.relu_()
            self.values.append(rows)
        return rows

    def backward(self, gradient: Tensor, into: Tensor | None) -> None:
        """Set the gradients of all weights from that of the output (B, D'), which is overwritten.

        `into` (B, D) is given the gradient of the input, if it is wanted.
        """
        for place in range(len(self.layers) - 1, -1, -1):
            layer, given, gave = self.layers[place], self.values[place], self.values[place + 1]
            assert layer.weight.grad is not None
            assert layer.bias.grad is not None
            if self.relu_behind or place < len(self.layers) - 1:
                relu_backward(gradient, gave, 0, grad_input=gradient)
            torch.mm(gradient.T, given, out=layer.weight.grad)
            torch.sum(gradient, 0, out=layer.bias.grad)
            if place:
                before = self.scratch(f"{self.name} gradient {place}", *given.shape)
                gradient = torch.mm(gradient, layer.weight, out=before)  # (B, D of the layer before)
            elif into is not None:
                torch.mm(gradient, layer.weight, out=into)


ALIGNED = 16  # numbers; each parameter starts at a multiple, which is 64 bytes, for the sake of fast products


def flatten(model: nn.Module) -> nn.Parameter:
    """Lay a model's parameters, and gradients for them, one behind the other; the one tensor that holds them all.

    A matrix lies with its longer side along the rows: the product that is its gradient is a fifth faster so.
    """
    own = list(model.parameters())
    starts = [0]
    for parameter in own:
        starts.append(starts[-1] + -(-parameter.numel() // ALIGNED) * ALIGNED)
    flat = nn.Parameter(torch.zeros(starts[-1], device=own[0].device))
    flat.grad = torch.zeros_like(flat)
    for start, parameter in zip(starts, own, strict=False):
        upright = parameter.dim() == 2 and parameter.shape[0] > parameter.shape[1]
        shape = parameter.T.shape if upright else parameter.shape
        views = [whole[start : start + parameter.numel()].view(shape) for whole in (flat.data, flat.grad)]
        value, gradient = (view.T for view in views) if upright else views
        parameter.data, parameter.grad = value.copy_(parameter.data), gradient
    return flat
