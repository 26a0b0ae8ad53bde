"""Weights of a backbone on disk: .safetensors files, and PyTorch files, which are read without running their pickle.

Both hold one tensor for each name of the network's state.
"""

import pickle
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeGuard

import torch
from torch import Tensor

from data.random_streams import REPLACED_WEIGHTS
from models.backbone.networks import network_class
from models.backbone.protocol import BODIES, JOINTS, Backbone
from models.backbone.settings import BackboneSettings
from models.errors import ModelError
from models.tensor_file import fingerprint, read_record, read_tensors, write_tensors
from models.torch_generators import torch_generator
from models.whole_state import faults, some

OWN_KEYS = {"format_version", "fingerprint", "stage"}  # metadata that every file of `save_network` has
WRAPPERS = ("module.", "model.")  # of DataParallel, and of classes that train a network
WANTED = "backbone.weights takes a .pt or .safetensors file of weights"


def save_network(path: Path, network: Backbone, metadata: Mapping[str, str]) -> None:
    """Write the weights and `metadata`, with the fingerprint of the weights, to `path`."""
    write_tensors(path, _tensors_of(network), metadata)


def network_fingerprint(network: Backbone) -> str:
    """Return the fingerprint of the weights, as `save_network` writes it."""
    return fingerprint(_tensors_of(network))


def _tensors_of(network: Backbone) -> dict[str, Tensor]:
    return {name: tensor.detach().cpu().contiguous() for name, tensor in network.state_dict().items()}


def is_own(path: Path) -> bool:
    """Whether this program wrote `path`: a .safetensors file with at least a part of a record."""
    return path.suffix == ".safetensors" and not OWN_KEYS.isdisjoint(read_record(path))


def load_network(path: Path, settings: BackboneSettings | None = None) -> Backbone:
    """Load the network in `path`, a .safetensors or .pt file. `settings` say which network it is; default: Shift-GCN.

    Its classifier has as many classes as the file's. Raises ModelError when the file is not a checkpoint, when tensors
    are missing, unknown or of another shape, or when one holds NaN, infinite numbers or a negative variance.
    """
    settings = settings or BackboneSettings()
    kind = network_class(settings.network)
    tensors = read_checkpoint(path)
    classifier = tensors.get("fc.weight")
    width = kind.build(1, settings, torch_generator(REPLACED_WEIGHTS.torch_seed())).num_features
    if classifier is None or classifier.ndim != 2 or classifier.shape[1] != width or not len(classifier):
        raise ModelError(
            f"{path}: has no classifier fc.weight (classes, {width}), so it is not a {kind.title} checkpoint; "
            f'backbone.network = "{settings.network}" wants one; its tensors are {some(tensors) or "none"}'
        )
    network = kind.build(len(classifier), settings, torch_generator(REPLACED_WEIGHTS.torch_seed()))
    expected = network.state_dict()
    tensors = dict(kind.state_from_file(path, tensors))
    wrong = faults(tensors, expected, lambda name: name.endswith("num_batches_tracked"))
    if wrong:
        raise ModelError(f"{path}: is not a {kind.title} for clips of {JOINTS} joints and {BODIES} bodies; {wrong}")
    network.load_state_dict({name: tensors.get(name, tensor) for name, tensor in expected.items()})
    return network.eval()


def read_checkpoint(path: Path) -> dict[str, Tensor]:
    """Read the tensors of a .safetensors or PyTorch file, by name, without "module." or "model." before all names.

    A PyTorch file may hold the state beside other things, as under "state_dict" or "model". No code in the file is
    run, and no tensor takes more memory than the file has bytes. Raises ModelError, or OSError when the system could
    not read the file.
    """
    if not path.is_file():
        raise ModelError(f"{path}: no such file; backbone.weights names a checkpoint (.pt or .safetensors)")
    if path.suffix == ".safetensors":
        try:
            return _without_wrappers(read_tensors(path))
        except ModelError as error:
            raise ModelError(f"{error}, so it can't be read as a checkpoint of weights; {WANTED}") from error
    with path.open("rb") as content:
        content.read(1)  # what the system does not let us read says nothing about the file
    try:
        _require_unpacked(path)
        stored = torch.load(path, map_location="cpu", weights_only=True)
    except ModelError:
        raise
    except Exception as error:  # a broken pickle can lead PyTorch's reader to any error
        reason = "it holds more than tensors, and is not run" if isinstance(error, pickle.UnpicklingError) else error
        reason = str(reason).splitlines()[0] if str(reason) else type(error).__name__
        raise ModelError(f"{path}: can't be read as a checkpoint of weights ({reason}); {WANTED}") from error
    tensors = _without_wrappers(_state_in(path, stored))
    _require_plain(path, tensors)
    return tensors


def _state_in(path: Path, stored: object) -> Mapping[str, Tensor]:
    """Return the tensors in `stored`, which torch.load gave: `stored` itself, or the only state among its values."""
    if _is_state(stored):
        return {str(name): tensor for name, tensor in stored.items()}
    if not isinstance(stored, Mapping):
        raise ModelError(f"{path}: holds a {type(stored).__name__}, not tensors by name, so it is not a checkpoint")
    states = [key for key, value in stored.items() if _is_state(value) and value]
    if "state_dict" in states:
        states = ["state_dict"]
    if len(states) != 1:
        several = f"several states of tensors ({some(map(str, states))})"
        raise ModelError(
            f"{path}: holds {several if states else 'no state of tensors by name'} under its keys "
            f"{some(map(str, stored)) or '(none)'}, so that it is not clear what the weights are; save one state "
            f"alone, with torch.save(state, ...). {WANTED}"
        )
    return {str(name): tensor for name, tensor in stored[states[0]].items()}


def _is_state(value: object) -> TypeGuard[Mapping[Any, Tensor]]:
    return isinstance(value, Mapping) and all(isinstance(tensor, Tensor) for tensor in value.values())


def _without_wrappers(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return `tensors` without the prefixes that all names have from wrappers: "module." or "model.", once or more."""
    names = list(tensors)
    while prefix := next((start for start in WRAPPERS if names and all(name.startswith(start) for name in names)), ""):
        names = [name.removeprefix(prefix) for name in names]
    return dict(zip(names, tensors.values(), strict=True))


def _require_unpacked(path: Path) -> None:
    """Raise ModelError when `path` is a compressed archive.

    PyTorch never compresses. A small archive of zeros could fill the memory.
    """
    if not zipfile.is_zipfile(path):
        return  # a file of an older PyTorch, or no PyTorch file
    with zipfile.ZipFile(path) as archive:
        members = archive.infolist()
    declared, whole = sum(member.file_size for member in members), path.stat().st_size
    if declared > whole or any(member.compress_type != zipfile.ZIP_STORED for member in members):
        raise ModelError(
            f"{path}: is packed ({whole} bytes, {declared} unpacked), as PyTorch packs no checkpoint; save it again "
            "with torch.save"
        )


def _require_plain(path: Path, tensors: Mapping[str, Tensor]) -> None:
    """Raise ModelError unless every tensor is an ordinary array, and no larger than the file."""
    whole = path.stat().st_size
    for name, tensor in tensors.items():
        plain = tensor.layout is torch.strided and tensor.device.type == "cpu" and not tensor.is_quantized
        if not plain or tensor.is_complex() or tensor.numel() * tensor.element_size() > whole:
            kind = f"{tensor.dtype}, {tensor.layout}, {tensor.device}".replace("torch.", "")
            raise ModelError(
                f"{path}: {name[:80]} is {tuple(tensor.shape)} {kind}, in a file of {whole} bytes; plain tensors are "
                "wanted"
            )
