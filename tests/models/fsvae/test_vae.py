"""The VAE: first weights, noise, decoder."""

import pytest
import torch

from models.fsvae.vae import VAE, draw_latents, noise_width


def made_vae(hidden: tuple[int, ...] = (), decoder_relu: bool = True, seed: int = 0) -> VAE:
    return VAE(12, 3, hidden, decoder_relu, torch.Generator().manual_seed(seed))


def test_first_weights_are_xavier_uniform_with_gain_a_half() -> None:
    vae = VAE(300, 100, (), True, torch.Generator().manual_seed(0))
    bound = 0.5 * (6 / (300 + 100)) ** 0.5  # mu and log-variance are layers of 100 outputs each
    for weight in (*torch.split(vae.encoder.weight, 100), vae.decoder.weight):
        assert weight.abs().max() <= bound
        assert weight.abs().max() > 0.99 * bound
    assert not vae.encoder.bias.any()
    assert not vae.decoder.bias.any()


def test_encode_is_two_linear_layers() -> None:
    vae, rows = made_vae(), torch.randn(5, 12)
    mu, logvar = vae.encode(rows)
    torch.testing.assert_close(mu, rows @ vae.encoder.weight[:3].T)
    torch.testing.assert_close(logvar, rows @ vae.encoder.weight[3:].T)


@pytest.mark.parametrize("relu", [True, False])
def test_decoder_relu_is_a_choice(relu: bool) -> None:
    vae, latents = made_vae(decoder_relu=relu), torch.randn(50, 3)
    rows = latents @ vae.decoder.weight.T
    torch.testing.assert_close(vae.decode(latents), rows.clamp_min(0) if relu else rows)


def test_hidden_layers_are_mirrored() -> None:
    vae = made_vae(hidden=(8, 6))
    shapes = {name: tuple(weight.shape) for name, weight in vae.named_parameters() if weight.ndim == 2}
    assert shapes == {
        "encoder_hidden.0.weight": (8, 12),
        "encoder_hidden.2.weight": (6, 8),
        "encoder.weight": (6, 6),
        "decoder_hidden.0.weight": (6, 3),
        "decoder_hidden.2.weight": (8, 6),
        "decoder.weight": (12, 8),
    }
    mu, logvar = vae.encode(torch.randn(2, 12))
    assert vae.decode(mu).shape == (2, 12)
    assert logvar.shape == (2, 3)


def test_noise_is_scaled_by_sigma_and_may_be_shared() -> None:
    mu, logvar = torch.tensor([[1.0, 2.0]]), torch.tensor([[0.0, 2 * torch.log(torch.tensor(3.0))]])
    torch.testing.assert_close(draw_latents(mu, logvar, torch.tensor([[0.5]])), torch.tensor([[1.5, 3.5]]))
    torch.testing.assert_close(draw_latents(mu, logvar, torch.tensor([[0.5, 1.0]])), torch.tensor([[1.5, 5.0]]))
    assert (noise_width("sample", 100), noise_width("dimension", 100)) == (1, 100)


def test_one_generator_one_vae() -> None:
    assert torch.equal(made_vae(seed=4).decoder.weight, made_vae(seed=4).decoder.weight)
    assert not torch.equal(made_vae(seed=4).decoder.weight, made_vae(seed=5).decoder.weight)
