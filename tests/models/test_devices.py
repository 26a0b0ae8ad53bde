import pytest
import torch

from models.devices import make_accelerator, torch_device
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


def test_auto_is_the_cpu_where_there_is_no_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    assert torch_device("auto") == torch_device("cpu") == torch.device("cpu")
