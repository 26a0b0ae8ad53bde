"""The model: which branches have the frequency module, and shapes."""

import pytest
import torch

from models.fsvae.frequency import FrequencyModule
from models.fsvae.model import FSVAE
from models.fsvae.settings import FrequencySettings, ModelSettings


def made_model(apply_to: str) -> FSVAE:
    frequency = FrequencySettings.model_validate({"apply_to": apply_to})
    return FSVAE(10, 14, ModelSettings(latent=3, frequency=frequency), torch.Generator().manual_seed(0))


@pytest.mark.parametrize(("apply_to", "skeleton", "text"), [("none", 0, 0), ("skeleton", 1, 0), ("both", 1, 1)])
def test_the_module_stands_where_it_is_said(apply_to: str, skeleton: bool, text: bool) -> None:
    model = made_model(apply_to)
    assert isinstance(model.skeleton_frequency, FrequencyModule) == bool(skeleton)
    assert isinstance(model.text_frequency, FrequencyModule) == bool(text)


@pytest.mark.parametrize("apply_to", ["none", "skeleton", "both"])
def test_encoders_see_enhanced_features(apply_to: str) -> None:
    model = made_model(apply_to)
    skeletons, texts = torch.randn(5, 10), torch.randn(4, 14)
    enhanced = model.skeleton_frequency(skeletons) if model.skeleton_frequency else skeletons
    torch.testing.assert_close(model.encode_skeletons(skeletons)[0], model.skeleton.encode(enhanced)[0])
    mu, logvar = model.encode_texts(texts)
    assert mu.shape == logvar.shape == (4, 3)
