import pytest
import torch

from models.devices import make_accelerator
from models.errors import ModelError


def test_cpu() -> None:
    accelerator = make_accelerator("cpu", "fp32")
    assert accelerator.device == torch.device("cpu")
    assert accelerator.num_processes == 1


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is such a device")
@pytest.mark.parametrize("device", ["cuda", "cuda:1"])
def test_a_device_that_is_not_there(device: str) -> None:
    with pytest.raises(ModelError, match=f'device = "{device}", but torch .* finds none here'):
        make_accelerator(device, "fp32")


def test_half_precision_on_a_cpu() -> None:
    with pytest.raises(ModelError, match="needs a GPU"):
        make_accelerator("cpu", "bf16")
