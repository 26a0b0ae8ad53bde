"""FS-VAE: a VAE for skeleton features and a VAE for text features, with one latent space.

    s (B, D_s) -> feature space -> frequency module -> skeleton VAE -> z_s
    t (B, D_t) [-> frequency module] -> text VAE -> z_t

The feature space is ours, and a part of `default` alone. The decoders reconstruct the features as they are between the
feature space and the frequency module.

Letters: B batch, C actions, D features, Z latent.
"""

import torch
from torch import Tensor, nn

from models.feature_space import FeatureSpace
from models.fsvae.frequency import FrequencyModule
from models.fsvae.settings import ModelSettings
from models.fsvae.vae import VAE


class FSVAE(nn.Module):
    """The two VAEs, the frequency modules in front of their encoders, and the space of the skeleton features."""

    def __init__(self, skeleton_size: int, text_size: int, settings: ModelSettings, generator: torch.Generator) -> None:
        """`skeleton_size` is D_s and `text_size` D_t. `generator` draws the first weights."""
        super().__init__()
        self.space = None if settings.features == "given" else FeatureSpace(skeleton_size)
        self.skeleton = VAE(skeleton_size, settings.latent, settings.hidden, settings.decoder_relu, generator)
        self.text = VAE(text_size, settings.latent, settings.hidden, settings.decoder_relu, generator)
        apply_to = settings.frequency.apply_to
        self.skeleton_frequency = (
            FrequencyModule(skeleton_size, settings.frequency) if apply_to in ("skeleton", "both") else None
        )
        self.text_frequency = FrequencyModule(text_size, settings.frequency) if apply_to == "both" else None

    def in_space(self, features: Tensor) -> Tensor:
        """Skeleton features in the space that the decoder reconstructs, (B, D_s) -> (B, D_s)."""
        return features if self.space is None else self.space(features)

    def encode_skeletons(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """(B, D_s) -> mu, log-variance, (B, Z) each."""
        features = self.in_space(features)
        return self.skeleton.encode(self.skeleton_frequency(features) if self.skeleton_frequency else features)

    def encode_texts(self, texts: Tensor) -> tuple[Tensor, Tensor]:
        """(C, D_t) -> mu, log-variance, (C, Z) each."""
        return self.text.encode(self.text_frequency(texts) if self.text_frequency else texts)
