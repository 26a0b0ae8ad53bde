"""The state of FS-VAE must be whole."""

import pytest
import torch

from models.aligners.fsvae import load_fsvae
from models.aligners.protocol import State
from models.errors import ModelError
from models.fsvae.model import FSVAE
from models.fsvae.settings import ModelSettings

SETTINGS = ModelSettings(latent=3)


def state() -> State:
    model = FSVAE(10, 14, SETTINGS, torch.Generator().manual_seed(0))
    return {name: tensor.clone() for name, tensor in model.state_dict().items()}


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        ("text.encoder.bias", None, "missing: text.encoder.bias"),
        ("skeleton.decoder.bias", None, "missing: skeleton.decoder.bias"),
        ("skeleton.encoder.weight", None, "has no matrix skeleton.encoder.weight"),
        ("text.encoder.weight", torch.zeros(6, 9), r"shapes: text.encoder.weight is \(6, 9\)"),
        ("text.encoder.bias", torch.full((6,), torch.nan), "NaN or infinite: text.encoder.bias"),
        ("another", torch.zeros(2), "unknown: another"),
    ],
)
def test_a_state_that_is_not_whole_is_refused(name: str, change: torch.Tensor | None, message: str) -> None:
    spoilt = state()
    if change is None:
        del spoilt[name]
    else:
        spoilt[name] = change
    with pytest.raises(ModelError, match=message):
        load_fsvae(spoilt, 14, SETTINGS)
