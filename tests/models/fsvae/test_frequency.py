"""The frequency module against direct transcriptions: DCT by its sum, gains band by band."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from models.fsvae.frequency import FrequencyModule, bands_and_slopes, dct, inverse_dct
from models.fsvae.settings import FrequencySettings

RELEASED = FrequencySettings(form="released", cutoff=30, bands=30, strength=0.3)


def dct_by_its_sum(row: NDArray[np.float64]) -> NDArray[np.float64]:
    size = len(row)
    result = []
    for k in range(size):
        scale = np.sqrt((1 if k == 0 else 2) / size)
        result.append(scale * sum(row[n] * np.cos(np.pi * (2 * n + 1) * k / (2 * size)) for n in range(size)))
    return np.array(result)


@pytest.mark.parametrize("size", [1, 2, 3, 7, 8, 256, 513, 600])
def test_dct_is_its_sum_and_comes_back(size: int) -> None:
    rows = torch.randn((2, size), generator=torch.Generator().manual_seed(size))
    coefficients = dct(rows)
    np.testing.assert_allclose(coefficients[0].numpy(), dct_by_its_sum(rows[0].double().numpy()), atol=2e-5)
    np.testing.assert_allclose(inverse_dct(coefficients).numpy(), rows.numpy(), atol=1e-5)


@pytest.mark.parametrize("size", [6, 513, 514])
def test_gradients_are_those_of_a_matrix_product(size: int) -> None:
    generator = torch.Generator().manual_seed(1)
    rows = torch.randn((3, size), generator=generator, requires_grad=True)
    weights = torch.randn((3, size), generator=generator)
    for transform in (dct, inverse_dct):
        matrix = transform(torch.eye(size)).detach()
        (gradient,) = torch.autograd.grad((transform(rows) * weights).sum(), rows)
        torch.testing.assert_close(gradient, weights @ matrix.T, atol=1e-5, rtol=1e-4)


def test_released_gains_at_the_start() -> None:
    gains = FrequencyModule(256, RELEASED).gains().detach().numpy()
    assert gains[[0, 7]] == pytest.approx(1.30)
    assert gains[[8, 16]] == pytest.approx(1.29)
    assert gains[[17, 24]] == pytest.approx(1.28)
    assert gains[[25, 33]] == pytest.approx(0.43)
    assert gains[[247, 254]] == pytest.approx(0.69)
    assert gains[255] == 1.0
    assert np.all(np.diff(gains[25:255]) >= 0)


def test_no_released_band_is_low_for_a_text() -> None:
    gains = FrequencyModule(1536, RELEASED).gains()
    assert (gains[:-1] < 1).all()


def test_paper_gains_at_the_start() -> None:
    gains = FrequencyModule(256, FrequencySettings(form="paper", cutoff=35, strength=0.3)).gains().detach().numpy()
    assert gains[0] == pytest.approx(1.3)
    assert gains[35] == pytest.approx(1 + 0.3 * (1 - 35 / 36))
    assert gains[36] == pytest.approx(1 - 0.3 * 1 / 221)
    assert gains[255] == pytest.approx(1 - 0.3 * 220 / 221)
    assert np.all(np.diff(gains) < 0)


@pytest.mark.parametrize("form", ["paper", "released"])
def test_weights_alone_leave_out_the_position(form: str) -> None:
    settings = FrequencySettings.model_validate({"form": form, "position": False, "strength": 0.25})
    gains = FrequencyModule(256, settings).gains().detach().numpy()
    assert set(np.round(gains, 6)) <= {0.75, 1.0, 1.25}


@given(
    size=st.integers(1, 400),
    bands=st.integers(1, 500),
    cutoff=st.integers(0, 500),
    form=st.sampled_from(["paper", "released"]),
)
def test_bands_and_signs_hold_for_any_size(size: int, bands: int, cutoff: int, form: str) -> None:
    settings = FrequencySettings.model_validate({"form": form, "bands": bands, "cutoff": cutoff})
    band, slope = bands_and_slopes(size, settings)
    assert band.shape == slope.shape == (size,)
    assert band.min() >= 0
    assert band.max() < bands
    assert np.all(np.diff(band) >= 0)
    assert np.isfinite(slope).all()
    if form == "paper":
        assert ((slope > 0) == (np.arange(size) <= cutoff)).all()


def test_module_equals_the_loop_over_bands() -> None:
    generator = torch.Generator().manual_seed(3)
    module = FrequencyModule(64, RELEASED)
    with torch.no_grad():
        module.weight.copy_(torch.rand(30, generator=generator))
        module.strength.copy_(torch.tensor(0.7))
    rows = torch.randn((4, 64), generator=generator)
    coefficients = dct(rows)
    edges = np.linspace(0, 63, 31).astype(int)
    for band in range(30):
        position = 1 - band / 30 if edges[band + 1] <= 30 else -(1 - (band - 30) / 30)
        coefficients[:, edges[band] : edges[band + 1]] *= 1 + module.weight[band].item() * 0.7 * position
    torch.testing.assert_close(module(rows), inverse_dct(coefficients))


def test_gains_are_learnt() -> None:
    module = FrequencyModule(32, FrequencySettings())
    module(torch.ones(2, 32)).square().sum().backward()
    assert module.weight.grad is not None
    assert module.strength.grad is not None
    assert module.strength.grad.abs() > 0
