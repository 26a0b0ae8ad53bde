"""The unseen classifier: softmax regression on latents that are drawn from texts alone.

For each of U unseen actions, `samples` latents are drawn from the text encoder's N(mu, sigma^2). A linear layer is
fitted to them with cross-entropy, by full-batch Adam, and then applied to the skeleton encoder's mu. The released code
puts a ReLU between the linear layer and the softmax, and starts the layer like all its linear layers: Xavier-uniform
weights with gain 0.5, a bias of zero.

Letters: N latents, U unseen actions, Z latent.
"""

import torch
from torch import Tensor, nn

from models.fsvae.settings import ClassifierSettings
from models.fsvae.vae import GAIN, draw_latents


class UnseenClassifier(nn.Module):
    """A linear layer from latents to unseen actions."""

    def __init__(self, latent: int, actions: int, settings: ClassifierSettings, generator: torch.Generator) -> None:
        """`generator` draws the first weights."""
        super().__init__()
        self.layer = nn.Linear(latent, actions)
        self.relu = settings.relu
        if settings.start == "xavier":
            nn.init.xavier_uniform_(self.layer.weight, GAIN, generator)
            nn.init.zeros_(self.layer.bias)
        else:
            bound = latent**-0.5  # as torch.nn.Linear starts
            for parameter in (self.layer.weight, self.layer.bias):
                nn.init.uniform_(parameter, -bound, bound, generator)

    def forward(self, latents: Tensor) -> Tensor:
        """(N, Z) -> logits (N, U)."""
        logits: Tensor = self.layer(latents)
        return logits.relu() if self.relu else logits

    @torch.no_grad()
    def probabilities(self, latents: Tensor) -> Tensor:
        """(N, Z) -> probabilities (N, U)."""
        probabilities: Tensor = self(latents).softmax(dim=1)
        return probabilities


@torch.enable_grad()  # a caller may be under no_grad
def fit_unseen_classifier(
    mu: Tensor, logvar: Tensor, noise_width: int, settings: ClassifierSettings, generator: torch.Generator
) -> UnseenClassifier:
    """Fit a classifier to the text latents of the unseen actions, mu and log-variance (U, Z) each, on the CPU.

    `noise_width` is 1 or Z, as in training. `generator` draws the latents, then the first weights.
    """
    actions, latent = mu.shape
    target = torch.arange(actions).repeat_interleave(settings.samples)  # (N,) of N = U * samples
    noise = torch.randn((len(target), noise_width), generator=generator)
    latents = draw_latents(mu.detach()[target], logvar.detach()[target], noise)  # (N, Z)
    classifier = UnseenClassifier(latent, actions, settings, generator)
    optimiser = torch.optim.Adam(classifier.parameters(), lr=settings.learning_rate, fused=True)
    columns = latents.T.contiguous()  # (Z, N): a softmax over few actions is far faster down columns
    share = nn.functional.one_hot(target, actions).T.contiguous() / len(target)  # (U, N)
    for _ in range(settings.steps):
        loss = _cross_entropy(classifier, columns, share)
        classifier.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
    return classifier


def _cross_entropy(classifier: UnseenClassifier, columns: Tensor, share: Tensor) -> Tensor:
    """The mean cross-entropy of latents in `columns` (Z, N).

    `share` (U, N) is 1 / N at each latent's action, else 0. torch's cross_entropy takes latents in rows, which is
    slow for few actions.
    """
    logits = torch.addmm(classifier.layer.bias[:, None], classifier.layer.weight, columns)  # (U, N)
    if classifier.relu:
        logits = logits.relu()
    return -(logits.log_softmax(dim=0) * share).sum()
