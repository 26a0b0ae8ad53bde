"""Shift-GCN weights on disk: safetensors, and the published PyTorch files (read only, without pickle).

Both hold one tensor a parameter under the same names. The published files also hold index tables and x offsets,
which are fixed in this implementation and are checked and left out.
"""

import hashlib
import pickle
import re
import zipfile
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor

from models.errors import ModelError
from models.shift_gcn.network import FEATURES, JOINTS, ShiftGCN, shift_rows

LARGEST_X_OFFSET = 1e-6
OWN_KEYS = {"format_version", "fingerprint", "stage"}  # of the metadata that `save_network` is given and writes
_X_OFFSET = re.compile(r"l\d+\.tcn1\.shift_(in|out)\.xpos")
_ROWS = re.compile(r"l\d+\.gcn1\.shift_(in|out)")


def save_network(path: Path, network: ShiftGCN, metadata: Mapping[str, str]) -> None:
    """Write the weights and `metadata`, with the fingerprint of the weights, to `path`."""
    tensors = _tensors_of(network)
    save_file(tensors, path, {**metadata, "fingerprint": tensors_fingerprint(tensors)})


def network_fingerprint(network: ShiftGCN) -> str:
    """The fingerprint of the weights, as `save_network` writes it."""
    return tensors_fingerprint(_tensors_of(network))


def _tensors_of(network: ShiftGCN) -> dict[str, Tensor]:
    return {name: tensor.detach().cpu().contiguous() for name, tensor in network.state_dict().items()}


def tensors_fingerprint(tensors: Mapping[str, Tensor]) -> str:
    """SHA-256 of every tensor's name, dtype, shape and contents, in the order of the names."""
    digest = hashlib.sha256()
    for name in sorted(tensors):
        tensor = tensors[name]
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        digest.update(tensor.numpy().tobytes())
    return digest.hexdigest()


def is_own(path: Path) -> bool:
    """Whether `path` is a .safetensors that says how it was made, or did; others are weights and nothing else."""
    if path.suffix != ".safetensors":
        return False
    with safe_open(path, framework="pt") as file:
        return not OWN_KEYS.isdisjoint(file.metadata() or {})


def load_network(path: Path) -> ShiftGCN:
    """The network in `path`: a .safetensors or a published checkpoint, with any number of classes.

    Raises ModelError when the file is no checkpoint, or tensors are missing, unknown, or of another shape.
    """
    tensors = read_tensors(path)
    classifier = tensors.get("fc.weight")
    if classifier is None or classifier.ndim != 2 or classifier.shape[1] != FEATURES or not len(classifier):
        raise ModelError(f"{path}: has no classifier fc.weight (classes, {FEATURES}), so it is no Shift-GCN checkpoint")
    network = ShiftGCN(len(classifier))
    expected = network.state_dict()
    tensors = _without_constants(path, tensors)
    _check(path, tensors, expected)
    network.load_state_dict({name: tensors.get(name, tensor) for name, tensor in expected.items()})
    return network.eval()


def read_tensors(path: Path) -> dict[str, Tensor]:
    """The tensors of a .safetensors or PyTorch file by name, a `module.` in front taken off.

    Nothing in the file is run, and no tensor is larger than the file. Raises ModelError.
    """
    if not path.is_file():
        raise ModelError(f"{path}: no such file; backbone.weights names a Shift-GCN checkpoint (.pt or .safetensors)")
    try:
        if path.suffix == ".safetensors":
            with safe_open(path, framework="pt") as file:
                names = list(file.keys())
                return {name.removeprefix("module."): file.get_tensor(name) for name in names}
        _require_unpacked(path)
        found = torch.load(path, map_location="cpu", weights_only=True)
    except ModelError:
        raise
    except Exception as error:  # a broken pickle can lead PyTorch's reader to any error
        reason = "it holds more than tensors, which is not run" if isinstance(error, pickle.UnpicklingError) else error
        reason = str(reason).splitlines()[0] if str(reason) else type(error).__name__
        raise ModelError(
            f"{path}: can't be read as a checkpoint of weights ({reason}); backbone.weights takes a published "
            "Shift-GCN .pt or a .safetensors"
        ) from error
    if isinstance(found, Mapping) and isinstance(found.get("state_dict"), Mapping):
        found = found["state_dict"]
    if not isinstance(found, Mapping) or not all(isinstance(tensor, Tensor) for tensor in found.values()):
        raise ModelError(f"{path}: holds a {type(found).__name__}, not tensors by name, so it is no checkpoint")
    tensors = {str(name).removeprefix("module."): tensor for name, tensor in found.items()}
    _require_plain(path, tensors)
    return tensors


def _require_unpacked(path: Path) -> None:
    """Raise ModelError when `path` is an archive whose members take more bytes than it has, as PyTorch writes none."""
    if not zipfile.is_zipfile(path):
        return  # an older PyTorch file, or none
    with zipfile.ZipFile(path) as archive:
        members = archive.infolist()
    declared, whole = sum(member.file_size for member in members), path.stat().st_size
    if declared > whole or any(member.compress_type != zipfile.ZIP_STORED for member in members):
        raise ModelError(
            f"{path}: is packed ({whole} bytes, {declared} unpacked), as PyTorch packs no checkpoint; save it again "
            "with torch.save"
        )


def _require_plain(path: Path, tensors: Mapping[str, Tensor]) -> None:
    """Raise ModelError when a tensor is none of numbers in the file: expanded from a few, sparse, complex, ..."""
    whole = path.stat().st_size
    for name, tensor in tensors.items():
        plain = tensor.layout is torch.strided and tensor.device.type == "cpu" and not tensor.is_quantized
        if not plain or tensor.is_complex() or tensor.numel() * tensor.element_size() > whole:
            kind = f"{tensor.dtype}, {tensor.layout}, {tensor.device}".replace("torch.", "")
            raise ModelError(
                f"{path}: {name[:80]} is {tuple(tensor.shape)} {kind}, in a file of {whole} bytes; plain tensors are "
                "wanted"
            )


def _without_constants(path: Path, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """`tensors` without those that this network has no parameter for, after checking that they say what it does."""
    kept = {}
    for name, tensor in tensors.items():
        if _X_OFFSET.fullmatch(name):
            reached = float(tensor.double().abs().max()) if tensor.numel() else 0.0
            if not reached <= LARGEST_X_OFFSET:
                raise ModelError(f"{path}: {name} reaches {reached:.3g}; only x offsets of 0 are supported")
        elif _ROWS.fullmatch(name):
            rows = shift_rows(max(1, tensor.numel() // JOINTS))
            if not torch.equal(tensor.cpu().long(), rows if name.endswith("in") else rows.argsort()):
                raise ModelError(f"{path}: {name} is another spatial shift than Shift-GCN's non-local one")
        else:
            kept[name] = tensor
    return kept


def _check(path: Path, tensors: Mapping[str, Tensor], expected: Mapping[str, Tensor]) -> None:
    missing = [name for name in expected if name not in tensors and not name.endswith("num_batches_tracked")]
    extra = [name for name in tensors if name not in expected]
    shapes = [
        f"{name} is {tuple(tensors[name].shape)} instead of {tuple(tensor.shape)}"
        for name, tensor in expected.items()
        if name in tensors and tensors[name].shape != tensor.shape
    ]
    unfit = [
        f"{name} holds {str(tensors[name].dtype).removeprefix('torch.')}"
        for name, tensor in expected.items()
        if name in tensors and tensor.is_floating_point() and not tensors[name].is_floating_point()
    ]
    faults = [
        f"{kind} {', '.join(names[:4])}{f' and {len(names) - 4} more' if len(names) > 4 else ''}"
        for kind, names in (("missing:", missing), ("unknown:", extra), ("shapes:", shapes), ("types:", unfit))
        if names
    ]
    if faults:
        raise ModelError(f"{path}: is no joint-stream Shift-GCN of 25 joints and 2 bodies; {'; '.join(faults)}")
