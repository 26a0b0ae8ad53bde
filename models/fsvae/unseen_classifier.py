"""The unseen classifier: softmax regression on latents that texts alone have drawn.

For each of U unseen actions, `samples` latents are drawn from the text encoder's N(mu, sigma^2); a linear layer is
fitted to them with cross-entropy, by full-batch Adam. It is then applied to the skeleton encoder's mu. The released
code puts a ReLU between the linear layer and the softmax, and starts it as all its linear layers: Xavier-uniform with
gain 0.5, the bias at zero.
Letters: N clips, U unseen actions, Z latent.
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
        """(N, Z) -> scores before the softmax, (N, U)."""
        scores: Tensor = self.layer(latents)
        return scores.relu() if self.relu else scores

    @torch.no_grad()
    def probabilities(self, latents: Tensor) -> Tensor:
        """(N, Z) -> probabilities (N, U)."""
        probabilities: Tensor = self(latents).softmax(dim=1)
        return probabilities


@torch.no_grad()
def fit_unseen_classifier(
    mu: Tensor, logvar: Tensor, noise_width: int, settings: ClassifierSettings, generator: torch.Generator
) -> UnseenClassifier:
    """Fit a classifier to the unseen actions' text latents, mu and log-variance (U, Z) each, on the CPU.

    `noise_width` is 1 or Z, as in training.
    """
    actions, latent = mu.shape
    target = torch.arange(actions).repeat_interleave(settings.samples)  # (U * samples,)
    noise = torch.randn((len(target), noise_width), generator=generator)
    latents = draw_latents(mu[target], logvar[target], noise)
    classifier = UnseenClassifier(latent, actions, settings, generator)
    optimiser = torch.optim.Adam(classifier.parameters(), lr=settings.learning_rate, fused=True)
    columns = latents.T.contiguous()  # (Z, U * samples): a softmax over few actions is far faster down columns
    right = nn.functional.one_hot(target, actions).T.float().contiguous()  # (U, U * samples)
    for _ in range(settings.steps):
        _set_gradients(classifier, columns, right)
        optimiser.step()
    return classifier


def _set_gradients(classifier: UnseenClassifier, latents: Tensor, right: Tensor) -> None:
    """Those of the mean cross-entropy, by hand: autograd takes well over half as long again.

    Latents (Z, N); `right` (U, N) is 1 at each sample's action.
    """
    layer = classifier.layer
    scores = torch.addmm(layer.bias[:, None], layer.weight, latents)  # (U, N)
    if classifier.relu:
        scores.relu_()
    gradient = (scores.softmax(dim=0) - right) / right.shape[1]
    if classifier.relu:
        gradient *= scores > 0
    layer.weight.grad = gradient @ latents.T
    layer.bias.grad = gradient.sum(dim=1)
