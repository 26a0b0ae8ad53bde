"""Changes of the tensors in a file of weights, for tests/fuzz/weights.py."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

Tensors = dict[str, Tensor]
HALF_TOLERANCE = 0.05  # relative, of outputs from weights in 16 bits


@dataclass(frozen=True)
class Change:
    """What was done. `name`: the tensor whose module a refusal must name; "" for any."""

    what: str
    name: str = ""
    tolerance: float = 1e-6


def change(tensors: Tensors, rng: np.random.Generator, values_too: bool) -> Change:
    """Change `tensors` in place; other finite numbers only with `values_too`."""
    names = sorted(name for name, tensor in tensors.items() if tensor.is_floating_point() and tensor.numel())
    name = names[int(rng.integers(len(names)))]
    tensor = tensors[name].clone()
    place = int(rng.integers(tensor.numel()))
    kind = int(rng.integers(15 if values_too else 12))
    if kind == 0:
        del tensors[name]
        return Change("removed", name)
    if kind == 1:
        tensors[f"{name}_"] = tensors.pop(name)
        return Change("renamed", name)
    if kind == 2:
        tensors[name] = tensor[None] if rng.random() < 0.5 or tensor.ndim < 2 else tensor.flatten()
        return Change("reshaped", name)
    if kind == 3:
        tensors[name] = tensor[:-1] if tensor.ndim else tensor[None]
        return Change("cut short", name)
    if kind == 4:
        if tensor.ndim < 2 or tensor.shape[0] == tensor.shape[1]:
            tensors[name] = torch.cat([tensor.reshape(-1), tensor.reshape(-1)])
        else:
            tensors[name] = tensor.transpose(0, 1).contiguous()
        return Change("transposed or doubled", name)
    if kind in (5, 6):
        tensor.view(-1)[place] = (float("nan"), float("inf"), -float("inf"))[int(rng.integers(3))]
        tensors[name] = tensor
        return Change("not finite", name)
    if kind == 7:
        tensors[name] = (100 * tensor).to((torch.int64, torch.int8, torch.bool)[int(rng.integers(3))])
        return Change("whole numbers", name)
    if kind == 8:
        tensors[name] = tensor.double()
        return Change("64 bits", tolerance=1e-5)
    if kind == 9:
        tensors[name] = tensor.half()
        return Change("16 bits", tolerance=HALF_TOLERANCE)
    if kind == 10:
        variances = [one for one in names if one.endswith("running_var")]
        if variances:
            name = variances[int(rng.integers(len(variances)))]
            tensors[name] = -tensors[name] - 1
            return Change("negative variance", name)
        tensors[name] = torch.full_like(tensor, float("nan"))
        return Change("all NaN", name)
    if kind == 11:
        prefix = ("module.", "model.", "module.module.", "net.")[int(rng.integers(4))]
        for one in list(tensors):
            tensors[prefix + one] = tensors.pop(one)
        return Change(f"prefix {prefix}")
    if kind == 12:
        tensors[name] = 1.5 * tensor + 1
        return Change("other numbers")
    same = [one for one in names if tensors[one].shape == tensor.shape and not torch.equal(tensors[one], tensor)]
    if kind == 13 and same:
        other = same[int(rng.integers(len(same)))]
        tensors[name], tensors[other] = tensors[other], tensor
        return Change("exchanged")
    tensor.view(-1)[place] += 1
    tensors[name] = tensor
    return Change("one other number")
