"""Where a network is trained: one accelerator object for CPU, GPU, and several processes."""

import os

import torch
from accelerate import Accelerator

from models.errors import ModelError

ACCELERATE_PRECISIONS = {"fp32": "no", "bf16": "bf16", "fp16": "fp16"}


def make_accelerator(device: str, precision: str) -> Accelerator:
    """accelerate's Accelerator for `device` (auto, cpu, cuda, cuda:1, mps) and `precision` (fp32, bf16, fp16).

    Raises ModelError when this machine has no such device, or it can't compute in that precision.
    """
    kind = device.partition(":")[0]
    there = {"auto": True, "cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if not there[kind]:
        raise ModelError(f'device = "{device}", but torch {torch.__version__} finds none here; use device = "auto"')
    if ":" in device:
        os.environ["ACCELERATE_TORCH_DEVICE"] = device  # the only way to tell accelerate which one
    # Told that it is the CPU, accelerate joins processes through gloo; left to find out, it would run them apart.
    on_cpu = kind == "cpu" or (kind == "auto" and not there["cuda"] and not there["mps"])
    if on_cpu and precision != "fp32":
        raise ModelError(f'backbone.precision = "{precision}" needs a GPU; this machine computes on the CPU, in "fp32"')
    return Accelerator(mixed_precision=ACCELERATE_PRECISIONS[precision], cpu=on_cpu)
