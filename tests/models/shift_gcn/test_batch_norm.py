import pytest
import torch

from models.shift_gcn.batch_norm import BodyBatchNorm


@pytest.mark.parametrize("joints", [0, 3])
def test_a_weighted_body_counts_like_that_many(joints: int) -> None:
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(3, 4, 5, 6, generator=generator, dtype=torch.float64) * 3 + 7
    weights = torch.tensor([1.0, 1, 1, 1, 4], dtype=torch.float64)
    times = weights.long()
    norm = BodyBatchNorm(4, joints).double()
    plain = torch.nn.BatchNorm1d(4 * (joints or 1)).double()
    with torch.no_grad():
        norm.weight.normal_(generator=generator)
        norm.bias.normal_(generator=generator)
    plain.load_state_dict(norm.state_dict())

    few, all_of_them = x.clone().requires_grad_(), x.repeat_interleave(times, 2).requires_grad_()
    y = norm(few, weights)
    rows = all_of_them if joints else all_of_them.transpose(0, 1)  # (V, C, ...) or (C, V, ...)
    wanted = plain(rows.flatten(0, 1).flatten(1).T) if joints else plain(rows.flatten(1).T)
    wanted = wanted.T.reshape(rows.shape)
    wanted = wanted if joints else wanted.transpose(0, 1)
    torch.testing.assert_close(y.repeat_interleave(times, 2), wanted)
    for name in ("running_mean", "running_var", "num_batches_tracked"):
        torch.testing.assert_close(norm.get_buffer(name), plain.get_buffer(name))

    pull = torch.randn(x.shape, generator=generator, dtype=torch.float64)
    (y * pull * weights.view(1, 1, -1, 1)).sum().backward()
    (wanted * pull.repeat_interleave(times, 2)).sum().backward()
    assert all_of_them.grad is not None
    summed = torch.stack([part.sum(2) for part in torch.split(all_of_them.grad, times.tolist(), 2)], 2)
    torch.testing.assert_close(few.grad, summed)
    torch.testing.assert_close(norm.weight.grad, plain.weight.grad)
    torch.testing.assert_close(norm.bias.grad, plain.bias.grad)


def test_evaluation_uses_running_statistics() -> None:
    norm = BodyBatchNorm(2).eval()
    norm.running_mean += torch.tensor([1.0, 2.0])
    norm.running_var *= 4
    x = torch.randn(3, 2, 2, 5, generator=torch.Generator().manual_seed(0))
    wanted = (x - torch.tensor([1.0, 2.0])[:, None, None]) / (4 + 1e-5) ** 0.5
    torch.testing.assert_close(norm(x, torch.ones(2)), wanted)


def test_large_means_cost_no_precision() -> None:
    x = torch.randn(1, 1, 1, 1000, generator=torch.Generator().manual_seed(0)) + 1000
    y = BodyBatchNorm(1)(x, torch.ones(1))
    assert abs(y.std().item() - 1) < 1e-3


def test_half_precision_keeps_statistics_whole() -> None:
    x = (torch.randn(1, 1, 2, 500, generator=torch.Generator().manual_seed(0)) + 5).bfloat16()
    norm = BodyBatchNorm(1)
    y = norm(x, torch.ones(2))
    assert y.dtype == torch.float32
    torch.testing.assert_close(norm.running_mean, 0.1 * x.float().mean().view(1))


def test_running_statistics_can_start_from_the_first_batches() -> None:
    generator = torch.Generator().manual_seed(0)
    batches = [torch.randn(1, 2, 3, 4, generator=generator) + 9 for _ in range(3)]
    norm = BodyBatchNorm(2)
    norm.mean_of_first_batches = True
    for batch in batches:
        norm(batch, torch.ones(3))
    torch.testing.assert_close(norm.running_mean, torch.stack([batch.mean((0, 2, 3)) for batch in batches]).mean(0))
    torch.testing.assert_close(norm.running_var, torch.stack([batch.var((0, 2, 3)) for batch in batches]).mean(0))
