"""Checks that a state is whole: a module finds every tensor that it needs, of its shape and type, with finite numbers.

Without this check, a library leaves a missing tensor at its random first values, and computes NaN from NaN weights.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

SHOWN = 4  # names in a message
VARIANCE = "running_var"  # the end of the name of a variance in torch's batch norms; it can't be negative


def faults(
    state: Mapping[str, "Tensor"],
    expected: Mapping[str, "Tensor"],
    may_lack: Callable[[str], bool] = lambda name: False,
) -> str:
    """Return what is wrong with `state`: how it differs from `expected`, and impossible numbers; "" when it is whole.

    `may_lack` says which tensors may be missing.
    """
    shared = [(name, state[name], tensor) for name, tensor in expected.items() if name in state]
    numbers = [(name, tensor) for name, tensor, _ in shared if tensor.is_floating_point()]
    kinds = {
        "missing": [name for name in expected if name not in state and not may_lack(name)],
        "unknown": [name for name in state if name not in expected],
        "shapes": [
            f"{name} is {tuple(tensor.shape)} instead of {tuple(wanted.shape)}"
            for name, tensor, wanted in shared
            if tensor.shape != wanted.shape
        ],
        "types": [
            f"{name} holds {str(tensor.dtype).removeprefix('torch.')}"
            for name, tensor, wanted in shared
            if wanted.is_floating_point() and not tensor.is_floating_point()
        ],
        "NaN or infinite": not_finite({name: tensor.to(expected[name].dtype) for name, tensor in numbers}),
        "negative": [name for name, tensor in numbers if name.endswith(VARIANCE) and bool((tensor < 0).any())],
    }
    return "; ".join(f"{kind}: {some(names)}" for kind, names in kinds.items() if names)


def not_finite(tensors: Mapping[str, "Tensor"]) -> list[str]:
    """Return the names of the tensors that hold NaN or infinite numbers."""
    return [name for name, tensor in tensors.items() if tensor.is_floating_point() and not _finite(tensor)]


def _finite(tensor: "Tensor") -> bool:
    """Whether all numbers are finite. NaN is a bound where there is one. `isfinite` takes the memory of a copy."""
    return not tensor.numel() or all(bound.isfinite() for bound in tensor.aminmax())


def some(names: Iterable[str]) -> str:
    """Return the first of `names` as text, and how many more there are."""
    listed = list(names)
    more = f" and {len(listed) - SHOWN} more" if len(listed) > SHOWN else ""
    return f"{', '.join(name[:80] for name in listed[:SHOWN])}{more}"
