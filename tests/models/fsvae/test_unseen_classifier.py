"""The unseen classifier: learns from texts alone, in every form, and answers with one action too."""

from typing import Literal

import pytest
import torch
from torch import nn

from models.fsvae.settings import ClassifierSettings
from models.fsvae.unseen_classifier import UnseenClassifier, fit_unseen_classifier


@pytest.mark.parametrize("noise_width", [1, 6])
def test_latents_near_a_text_are_its_action(noise_width: int) -> None:
    mu = 3 * torch.eye(4, 6)
    logvar = torch.full((4, 6), -2.0)
    settings = ClassifierSettings(samples=100, steps=300, learning_rate=0.02)
    classifier = fit_unseen_classifier(mu, logvar, noise_width, settings, torch.Generator().manual_seed(0))
    probabilities = classifier.probabilities(mu)
    assert probabilities.argmax(dim=1).tolist() == [0, 1, 2, 3]
    torch.testing.assert_close(probabilities.sum(dim=1), torch.ones(4))


def test_one_unseen_action_is_certain() -> None:
    settings = ClassifierSettings(samples=10, steps=5)
    classifier = fit_unseen_classifier(
        torch.zeros(1, 3), torch.zeros(1, 3), 1, settings, torch.Generator().manual_seed(0)
    )
    assert classifier.probabilities(torch.randn(7, 3)).tolist() == [[1.0]] * 7


def test_it_is_fitted_inside_a_callers_no_grad_too() -> None:
    mu, settings = torch.eye(2, 3), ClassifierSettings(samples=10, steps=5)
    wanted = fit_unseen_classifier(mu, mu, 1, settings, torch.Generator().manual_seed(0))
    with torch.no_grad():
        found = fit_unseen_classifier(mu, mu, 1, settings, torch.Generator().manual_seed(0))
    assert torch.equal(found.layer.weight, wanted.layer.weight)


def test_equal_texts_share_their_clips_evenly() -> None:
    mu = torch.tensor([[1.0, 0.0], [1.0, 0.0], [-1.0, 0.0]])
    settings = ClassifierSettings(samples=400, steps=300, learning_rate=0.02)
    classifier = fit_unseen_classifier(mu, torch.full((3, 2), -4.0), 2, settings, torch.Generator().manual_seed(0))
    first, second, third = classifier.probabilities(mu[:1])[0].tolist()
    assert first == pytest.approx(second, abs=0.05)
    assert third < 0.1


def test_relu_cuts_the_scores_below_zero() -> None:
    classifier = UnseenClassifier(2, 3, ClassifierSettings(relu=True), torch.Generator().manual_seed(0))
    assert (classifier(torch.randn(20, 2)) >= 0).all()


@pytest.mark.parametrize(
    ("start", "bound", "bias_bound"), [("kaiming", 0.1, 0.1), ("xavier", 0.5 * (6 / 140) ** 0.5, 0.0)]
)
def test_first_weights_fill_their_range(start: Literal["kaiming", "xavier"], bound: float, bias_bound: float) -> None:
    layer = UnseenClassifier(100, 40, ClassifierSettings(start=start), torch.Generator().manual_seed(0)).layer
    assert layer.weight.abs().max().item() == pytest.approx(bound, rel=0.01)
    assert abs(layer.weight.mean().item()) < 0.03 * bound
    assert layer.bias.abs().max().item() == pytest.approx(bias_bound, rel=0.1)


def test_as_released_it_is_a_direct_transcription() -> None:
    """Linear layer and ReLU, Xavier-uniform with gain 0.5, no bias, 300 steps of Adam 1e-3 on one noise a sample."""
    mu, logvar = torch.eye(3, 5), torch.full((3, 5), -1.0)
    settings = ClassifierSettings(samples=50, relu=True, start="xavier")
    found = fit_unseen_classifier(mu, logvar, 1, settings, torch.Generator().manual_seed(4))

    generator = torch.Generator().manual_seed(4)
    action = torch.arange(3).repeat_interleave(50)
    noise = torch.randn((150, 1), generator=generator)
    latents = mu[action] + (0.5 * logvar[action]).exp() * noise
    layer = nn.Linear(5, 3)
    nn.init.xavier_uniform_(layer.weight, gain=0.5, generator=generator)
    nn.init.constant_(layer.bias, 0)
    literal = nn.Sequential(layer, nn.ReLU())
    optimiser = torch.optim.Adam(literal.parameters(), lr=1e-3)
    for _ in range(300):
        optimiser.zero_grad()
        nn.functional.cross_entropy(literal(latents), action).backward()  # type: ignore[no-untyped-call]
        optimiser.step()
    torch.testing.assert_close(found.layer.weight, layer.weight, atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(found.layer.bias, layer.bias, atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(found.probabilities(mu), literal(mu).softmax(dim=1), atol=1e-5, rtol=1e-4)
