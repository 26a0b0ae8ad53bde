"""The unseen classifier: learns from texts alone, in both forms, and answers with one action too."""

import pytest
import torch

from models.fsvae_settings import ClassifierSettings
from models.unseen_classifier import UnseenClassifier, fit_unseen_classifier


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


def test_equal_texts_share_their_clips_evenly() -> None:
    mu = torch.tensor([[1.0, 0.0], [1.0, 0.0], [-1.0, 0.0]])
    settings = ClassifierSettings(samples=400, steps=300, learning_rate=0.02)
    classifier = fit_unseen_classifier(mu, torch.full((3, 2), -4.0), 2, settings, torch.Generator().manual_seed(0))
    first, second, third = classifier.probabilities(mu[:1])[0].tolist()
    assert first == pytest.approx(second, abs=0.05)
    assert third < 0.1


def test_relu_cuts_the_scores_below_zero() -> None:
    classifier = UnseenClassifier(2, 3, relu=True, generator=torch.Generator().manual_seed(0))
    assert (classifier(torch.randn(20, 2)) >= 0).all()
