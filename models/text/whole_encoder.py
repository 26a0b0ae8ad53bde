"""Is a loaded encoder whole: does all that its features depend on come from its files?

transformers draws at random what no file holds, and reports it in a warning alone. The features then differ from run
to run. Here that is an error. A tensor that no feature depends on, as BERT's pooler under mean pooling, may be missing.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from models.errors import ModelError
from models.tensor_file import number_types
from models.whole_state import not_finite, some

if TYPE_CHECKING:
    import torch
    from numpy.typing import NDArray

WEIGHTS = ("model.safetensors", "model.safetensors.index.json", "pytorch_model.bin", "pytorch_model.bin.index.json")
NEVER_LEARNED = ("position_ids", "inv_freq", "masked_bias")  # old files hold these; models compute them


@dataclass(frozen=True)
class Loaded:
    """A model as transformers loaded it from `folder`, with its report: kind of fault -> tensors."""

    folder: str
    model: Any
    report: Mapping[str, Any]

    @property
    def file(self) -> str:
        """The file that holds the weights, or the model's name where it is no folder."""
        there = [Path(self.folder) / name for name in WEIGHTS if (Path(self.folder) / name).is_file()]
        return str(there[0]) if there else self.folder

    @property
    def missing(self) -> dict[str, "torch.Tensor"]:
        """The tensors of the model that no file holds, by name."""
        state = self.model.state_dict()
        return {name: state[name] for name in sorted(self.report["missing_keys"])}

    @property
    def faults(self) -> dict[str, list[str]]:
        """Kind of fault -> what is wrong, except missing tensors. A kind without a fault has an empty list."""

        def part_of(name: str) -> str:
            return name.partition(".")[0]

        parts = set(map(part_of, self.model.state_dict()))
        prefix = f"{self.model.base_model_prefix}."
        return {
            "unknown": [
                name
                for name in sorted(self.report["unexpected_keys"])
                if {part_of(name), part_of(name.removeprefix(prefix))} & parts and not name.endswith(NEVER_LEARNED)
            ],
            "shapes": [
                f"{name} is {tuple(found)} instead of {tuple(wanted)}"
                for name, found, wanted in sorted(self.report["mismatched_keys"])
            ],
            "types": self._whole_numbers(prefix),
            "NaN or infinite": not_finite(self.model.state_dict()),
        }

    def _whole_numbers(self, prefix: str) -> list[str]:
        """Tensors that the files hold as whole numbers where the model computes with fractions."""
        fractions = {name for name, tensor in self.model.state_dict().items() if tensor.is_floating_point()}
        return [
            f"{name} holds {kind}"
            for name, kind in _number_types(Path(self.folder)).items()
            if fractions & {name, name.removeprefix(prefix), prefix + name} and not kind.startswith(("F", "BF"))
        ]


@contextmanager
def recorded_loading() -> Iterator[list[Loaded]]:
    """Collect every model that transformers loads inside, also those that sentence-transformers asks it for."""
    from transformers import PreTrainedModel

    loaded: list[Loaded] = []
    original = PreTrainedModel.__dict__["from_pretrained"]

    def recorded(cls: Any, source: Any, *args: Any, **options: Any) -> Any:
        with_report = options.get("output_loading_info", False)
        options |= {"output_loading_info": True, "ignore_mismatched_sizes": True}  # so that they are in the report
        folder = str(Path(source) / options.get("subfolder", "")) if Path(source).is_dir() else str(source)
        model, report = original.__get__(None, cls)(source, *args, **options)
        loaded.append(Loaded(folder, model, report))
        return (model, report) if with_report else model

    PreTrainedModel.from_pretrained = classmethod(recorded)
    try:
        yield loaded
    finally:
        PreTrainedModel.from_pretrained = original


def require_whole(
    name: str, source: str, model: "torch.nn.Module", loaded: list[Loaded], encode: Callable[[], "NDArray[np.float32]"]
) -> None:
    """Raise ModelError naming file and tensors when `model`, the encoder `name` from `source`, is not whole.

    loaded: the models in it that transformers loaded. encode: the features of any text.
    Missing tensors that no feature depends on are set to 0, so that the encoder's fingerprint is always the same.
    """
    for part in loaded:
        faults = part.faults
        if any(faults["shapes"]) or _used(part.missing, encode):
            faults = {"missing": list(part.missing), **faults}
        if any(faults.values()):
            raise ModelError(_not_whole(name, part.file, faults))
    others = not_finite(model.state_dict())  # of modules that sentence-transformers loads itself, such as Dense
    if others:
        raise ModelError(_not_whole(name, source, {"NaN or infinite": others}))


def require_vocabulary(name: str, source: str, tokenizer: Any) -> None:
    """Raise ModelError when `tokenizer` knows no word: transformers makes such a one where its files are missing."""
    if len(tokenizer) <= len(tokenizer.all_special_ids):
        raise ModelError(
            f'text.encoder = "{name}": the tokeniser in {source} knows no word, only {len(tokenizer)} special tokens; '
            "its files (tokenizer.json, or vocab.txt and their like) are missing: copy the model's folder again, whole"
        )


def _used(missing: Mapping[str, "torch.Tensor"], encode: Callable[[], "NDArray[np.float32]"]) -> bool:
    """Whether a feature depends on a tensor of `missing`: do other values in them change a bit of the features?

    NaN would not tell: torch's attention on a CPU makes finite numbers of NaN keys. Large values do, also where an
    effect is in the rounding alone, as that of a bias of keys. The tensors are left at 0.
    """
    import torch

    if not missing:
        return False
    for tensor in missing.values():
        tensor.copy_(1000 * torch.arange(1, tensor.numel() + 1).sin().reshape(tensor.shape))
    features = encode()
    for tensor in missing.values():
        tensor.fill_(0)
    return not np.array_equal(encode(), features)


def _number_types(folder: Path) -> dict[str, str]:
    """The type of each tensor in the .safetensors files of `folder`; of others nothing is known."""
    types: dict[str, str] = {}
    for path in sorted(folder.glob("*.safetensors")):
        types |= number_types(path)
    return types


def _not_whole(name: str, file: str, faults: Mapping[str, list[str]]) -> str:
    listed = "; ".join(f"{kind}: {some(names)}" for kind, names in faults.items() if names)
    return (
        f'text.encoder = "{name}": {file} is not a whole text encoder ({listed}), so that its features would mean '
        "nothing; copy the model's folder again, whole. A text tower that was cut out of another model, as in the "
        "folder text_encoder of an image generator, may lack its projection: use the model that it was cut out of"
    )
