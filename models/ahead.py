"""Makes the next thing while the last one is used, such as the batch that a network computes next."""

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    import torch

Item = TypeVar("Item")
Made = TypeVar("Made")


def ahead(make: Callable[[Item], Made], items: Iterable[Item]) -> Iterator[Made]:
    """Yield `make(item)` for each of `items`, in their order. A thread makes each while the one before it is used.

    What `make` raises is raised here, after all that come before were yielded.
    """
    with ThreadPoolExecutor(1) as maker:
        last = None
        for item in items:
            following = maker.submit(make, item)
            if last is not None:
                yield last.result()
            last = following
        if last is not None:
            yield last.result()


def ahead_of(device: "torch.device", make: Callable[[Item], Made], items: Iterable[Item]) -> Iterator[Made]:
    """Yield `make(item)` for each of `items`, which `device` then works on: ahead where it is not the CPU.

    A CPU is busy with the batch before. Another thread would take memory there, 50 to 190 MB at full size, and no less
    time.
    """
    return map(make, items) if device.type == "cpu" else ahead(make, items)
