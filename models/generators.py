"""Generators of torch. What they are drawn for, and from which seed, is written down in data/random_streams.py."""

import torch


def torch_generator(seed: int) -> torch.Generator:
    """A generator that starts from the `torch_seed` of a stream."""
    return torch.Generator().manual_seed(seed)
