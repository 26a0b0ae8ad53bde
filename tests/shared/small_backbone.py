"""A second backbone, to show what adding one takes: a linear layer, a convolution over time, and means."""

from typing import Self

import torch
from torch import Tensor, nn

from models.backbone.protocol import COORDINATES, JOINTS, Backbone
from models.backbone.settings import BackboneSettings

WIDTH = 48
FEATURES = 24
WIDE_FEATURES = 256


class JointMLP(Backbone):
    title = "joint MLP"

    def __init__(self, num_classes: int, generator: torch.Generator) -> None:
        super().__init__()
        self.frame = nn.Linear(COORDINATES * JOINTS, WIDTH)
        self.time = nn.Conv1d(WIDTH, FEATURES, kernel_size=3, padding=1)
        self.fc = nn.Linear(FEATURES, num_classes)
        for parameter in self.parameters():
            nn.init.normal_(parameter, 0, 0.2, generator=generator)

    @classmethod
    def build(cls, num_classes: int, settings: BackboneSettings, generator: torch.Generator) -> Self:
        return cls(num_classes, generator)

    def features(self, clips: Tensor) -> Tensor:
        x = clips.permute(0, 4, 2, 1, 3).flatten(3)  # (B, M, T, 3 V)
        x = self.frame(x).relu().mean(1)  # (B, T, C)
        features: Tensor = self.time(x.transpose(1, 2)).relu().mean(2)  # (B, D)
        return features


class WideJointMLP(JointMLP):
    """As many features as a Shift-GCN has, at every eighth frame: for measurements of all that is not the backbone."""

    title = "wide joint MLP"

    def __init__(self, num_classes: int, generator: torch.Generator) -> None:
        super().__init__(num_classes, generator)
        self.time = nn.Conv1d(WIDTH, WIDE_FEATURES, kernel_size=3, padding=1, stride=8)
        self.fc = nn.Linear(WIDE_FEATURES, num_classes)
        for parameter in self.parameters():
            nn.init.normal_(parameter, 0, 0.1, generator=generator)
