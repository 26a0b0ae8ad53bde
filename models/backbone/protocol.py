"""What a backbone is: a network that turns clips of skeletons into features, and features into logits.

Training, feature extraction, files of weights and the ONNX export know a network only through the class Backbone. To
add one, subclass it and name it in models/backbone/networks.py.
Letters: B clips, T frames, D numbers of a feature.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from concurrent.futures import Executor
from pathlib import Path
from typing import Any, ClassVar, Self

import torch
from torch import Tensor, nn

from data.joints import NUM_JOINTS
from models.backbone.settings import BackboneSettings

COORDINATES = 3
JOINTS = NUM_JOINTS
BODIES = 2
WEIGHT_DECAY = 1e-4


class Backbone(nn.Module, ABC):
    """A network of clips (B, 3, T, 25, 2): metres, any B, any T from 4 on. Absent bodies and joints are zeros.

    A subclass must have `title`, `fc`, `build` and `features`. The other methods have defaults that fit most networks.
    """

    title: ClassVar[str]  # what messages call the network
    fc: nn.Linear  # the classifier of the seen actions, (B, D) -> (B, classes)

    @classmethod
    @abstractmethod
    def build(cls, num_classes: int, settings: BackboneSettings, generator: torch.Generator) -> Self:
        """A new network. All first weights must be drawn from `generator`, so that one seed gives one network."""

    @abstractmethod
    def features(self, clips: Tensor) -> Tensor:
        """Clips (B, 3, T, 25, 2) -> (B, D)."""

    def forward(self, clips: Tensor) -> Tensor:
        """Clips (B, 3, T, 25, 2) -> logits (B, classes)."""
        return self.fc(self.features(clips))  # type: ignore[no-any-return]

    @property
    def num_features(self) -> int:
        """D."""
        return self.fc.in_features

    @property
    def num_classes(self) -> int:
        """The number of actions that the network was trained on."""
        return self.fc.out_features

    def parameter_groups(self) -> list[dict[str, Any]]:
        """Every parameter once, in groups for torch's SGD. Default: one group with a weight decay of 1e-4."""
        return [{"params": list(self.parameters()), "weight_decay": WEIGHT_DECAY}]

    def after_backward(self, settings: BackboneSettings) -> None:
        """Change gradients before they are clipped and used, if the network's recipe says so. Default: nothing."""

    def cpu_features(self, executor: Executor) -> Callable[[Tensor], Tensor]:
        """A function from clips (B, 3, T, 25, 2) to features (B, D), for evaluation on a CPU.

        Each thread of `executor` runs torch with a single thread. The features of a clip must depend on the clip
        alone, bit for bit: not on the other clips of the batch, and not on the number of threads. Default: every clip
        is a batch of its own.
        """

        @torch.inference_mode()  # each thread has its own mode, so it is set in the function that the thread runs
        def of_clip(clip: Tensor) -> Tensor:
            return self.features(clip[None])[0]

        return lambda clips: torch.stack(list(executor.map(of_clip, clips)))

    def plain(self) -> nn.Module:
        """A module from clips (B, 3, T, 25, 2) to features (B, D), for the ONNX export, on the CPU.

        The exporter records one call. So `forward` of this module must do the same steps whatever the numbers in a
        clip, and take sizes from the clips' shape alone. Default: `features` as it is.
        """
        return _Features(self)

    @classmethod
    def state_from_file(cls, path: Path, tensors: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
        """The tensors of the checkpoint `path` under the names of `state_dict`.

        Override it where published checkpoints have another layout. Raises ModelError. Default: `tensors` as they are.
        """
        return tensors


class _Features(nn.Module):
    def __init__(self, network: Backbone) -> None:
        super().__init__()
        self.network = network.eval()

    def forward(self, clips: Tensor) -> Tensor:
        """Clips (B, 3, T, 25, 2) -> (B, D)."""
        return self.network.features(clips)
