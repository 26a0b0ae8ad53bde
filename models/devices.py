"""Where torch computes: the device that config.toml names, and accelerate's object for several processes."""

import os
from typing import TYPE_CHECKING

import torch

from models.errors import ModelError

if TYPE_CHECKING:
    from accelerate import Accelerator

ACCELERATE_PRECISIONS = {"fp32": "no", "bf16": "bf16", "fp16": "fp16"}


def torch_device(name: str) -> torch.device:
    """The device called `name` (auto, cpu, cuda, cuda:1, mps); auto = a GPU when there is one.

    Raises ModelError when this machine has no such device.
    """
    available = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if name == "auto":
        return torch.device(next((kind for kind, usable in available.items() if usable), "cpu"))
    device = torch.device(name)
    if not available.get(device.type, True):
        raise ModelError(f'device = "{name}", but torch {torch.__version__} finds none here; use device = "auto"')
    return device


def make_accelerator(device: str, precision: str) -> "Accelerator":
    """accelerate's Accelerator for `device` (auto, cpu, cuda, cuda:1, mps) and `precision` (fp32, bf16, fp16).

    Raises ModelError when this machine has no such device, or it can't compute in that precision.
    """
    from accelerate import Accelerator  # slow to import, and not every user of this module trains

    on_cpu = torch_device(device).type == "cpu"
    if ":" in device:
        os.environ["ACCELERATE_TORCH_DEVICE"] = device  # the only way to tell accelerate which one
    if on_cpu and precision != "fp32":
        raise ModelError(f'backbone.precision = "{precision}" needs a GPU; this machine computes on the CPU, in "fp32"')
    # With cpu=True accelerate connects the processes through gloo. Without it, each process would train alone.
    return Accelerator(mixed_precision=ACCELERATE_PRECISIONS[precision], cpu=on_cpu)
