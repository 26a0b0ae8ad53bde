"""Weights of a backbone on disk: .safetensors files, and PyTorch files, which are read without running their pickle.

Both hold one tensor for each name of the network's state.
"""

import pickle
import zipfile
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from data.random_streams import REPLACED_WEIGHTS
from models.backbone.networks import network_class
from models.backbone.protocol import BODIES, JOINTS, Backbone
from models.backbone.settings import BackboneSettings
from models.errors import ModelError
from models.tensor_file import fingerprint, read_record, read_tensors, write_tensors
from models.torch_generators import torch_generator

OWN_KEYS = {"format_version", "fingerprint", "stage"}  # metadata that every file of `save_network` has
WANTED = "backbone.weights takes a .pt or .safetensors file of weights"


def save_network(path: Path, network: Backbone, metadata: Mapping[str, str]) -> None:
    """Write the weights and `metadata`, with the fingerprint of the weights, to `path`."""
    write_tensors(path, _tensors_of(network), metadata)


def network_fingerprint(network: Backbone) -> str:
    """The fingerprint of the weights, as `save_network` writes it."""
    return fingerprint(_tensors_of(network))


def _tensors_of(network: Backbone) -> dict[str, Tensor]:
    return {name: tensor.detach().cpu().contiguous() for name, tensor in network.state_dict().items()}


def is_own(path: Path) -> bool:
    """Whether this program wrote `path`: a .safetensors with at least a part of a record. Others hold only weights."""
    return path.suffix == ".safetensors" and not OWN_KEYS.isdisjoint(read_record(path))


def load_network(path: Path, settings: BackboneSettings | None = None) -> Backbone:
    """The network in `path`, a .safetensors or .pt file. `settings` say which network it is; default: Shift-GCN.

    It has as many classes as the file says. Raises ModelError when the file is no checkpoint, or when tensors are
    missing, unknown, or of another shape.
    """
    settings = settings or BackboneSettings()
    kind = network_class(settings.network)
    tensors = read_checkpoint(path)
    classifier = tensors.get("fc.weight")
    width = kind.build(1, settings, torch_generator(REPLACED_WEIGHTS.torch_seed())).num_features
    if classifier is None or classifier.ndim != 2 or classifier.shape[1] != width or not len(classifier):
        raise ModelError(
            f"{path}: has no classifier fc.weight (classes, {width}), so it is no {kind.title} checkpoint; "
            f'backbone.network = "{settings.network}" wants one'
        )
    network = kind.build(len(classifier), settings, torch_generator(REPLACED_WEIGHTS.torch_seed()))
    expected = network.state_dict()
    tensors = dict(kind.state_from_file(path, tensors))
    _require_fitting(path, tensors, expected, kind.title)
    network.load_state_dict({name: tensors.get(name, tensor) for name, tensor in expected.items()})
    return network.eval()


def read_checkpoint(path: Path) -> dict[str, Tensor]:
    """The tensors of a .safetensors or PyTorch file by name; a leading `module.` is taken off the names.

    No code in the file is run, and no tensor takes more memory than the file has bytes. Raises ModelError.
    """
    if not path.is_file():
        raise ModelError(f"{path}: no such file; backbone.weights names a checkpoint (.pt or .safetensors)")
    if path.suffix == ".safetensors":
        try:
            return {name.removeprefix("module."): tensor for name, tensor in read_tensors(path).items()}
        except ModelError as error:
            raise ModelError(f"{error}, so it can't be read as a checkpoint of weights; {WANTED}") from error
    try:
        _require_unpacked(path)
        stored = torch.load(path, map_location="cpu", weights_only=True)
    except ModelError:
        raise
    except Exception as error:  # a broken pickle can lead PyTorch's reader to any error
        reason = "it holds more than tensors, which is not run" if isinstance(error, pickle.UnpicklingError) else error
        reason = str(reason).splitlines()[0] if str(reason) else type(error).__name__
        raise ModelError(f"{path}: can't be read as a checkpoint of weights ({reason}); {WANTED}") from error
    if isinstance(stored, Mapping) and isinstance(stored.get("state_dict"), Mapping):
        stored = stored["state_dict"]
    if not isinstance(stored, Mapping) or not all(isinstance(tensor, Tensor) for tensor in stored.values()):
        raise ModelError(f"{path}: holds a {type(stored).__name__}, not tensors by name, so it is no checkpoint")
    tensors = {str(name).removeprefix("module."): tensor for name, tensor in stored.items()}
    _require_plain(path, tensors)
    return tensors


def _require_unpacked(path: Path) -> None:
    """Raise ModelError when `path` is a compressed archive. PyTorch never compresses; zeros could fill memory."""
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
    """Raise ModelError unless every tensor is an ordinary array whose numbers all stand in the file."""
    whole = path.stat().st_size
    for name, tensor in tensors.items():
        plain = tensor.layout is torch.strided and tensor.device.type == "cpu" and not tensor.is_quantized
        if not plain or tensor.is_complex() or tensor.numel() * tensor.element_size() > whole:
            kind = f"{tensor.dtype}, {tensor.layout}, {tensor.device}".replace("torch.", "")
            raise ModelError(
                f"{path}: {name[:80]} is {tuple(tensor.shape)} {kind}, in a file of {whole} bytes; plain tensors are "
                "wanted"
            )


def _require_fitting(path: Path, tensors: Mapping[str, Tensor], expected: Mapping[str, Tensor], title: str) -> None:
    """Raise ModelError that lists how `tensors` differ from the state `expected` of the network `title`."""
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
        raise ModelError(f"{path}: is no {title} for clips of {JOINTS} joints and {BODIES} bodies; {'; '.join(faults)}")
