"""Makes the generators of torch. data/random_streams.py lists what they are for and gives their seeds."""

import torch


def torch_generator(seed: int) -> torch.Generator:
    """Return a generator on the CPU; `seed` is the `torch_seed` of a stream."""
    return torch.Generator().manual_seed(seed)
