import pytest

from models.backbone.recipe import learning_rate
from models.backbone.settings import BackboneSettings


def test_published_schedule() -> None:
    settings = BackboneSettings()
    rates = [learning_rate(settings, epoch / settings.epochs) for epoch in range(settings.epochs)]
    assert rates[0] == 0.1
    assert [epoch for epoch in range(1, 140) if rates[epoch] != rates[epoch - 1]] == [60, 80, 100]
    assert rates[-1] == pytest.approx(1e-4)


@pytest.mark.parametrize("epochs", [1, 2, 5])
def test_few_epochs_have_every_step_of_the_schedule(epochs: int) -> None:
    settings = BackboneSettings(epochs=epochs)
    rates = [learning_rate(settings, step / 140) for step in range(140)]
    assert [step for step in range(1, 140) if rates[step] != rates[step - 1]] == [60, 80, 100]


def test_one_cycle_rises_and_falls() -> None:
    settings = BackboneSettings(schedule="one-cycle", learning_rate=0.2)
    rates = [learning_rate(settings, step / 100) for step in range(101)]
    assert rates[20] == max(rates) == pytest.approx(0.2)
    assert rates[0] == pytest.approx(0.008)
    assert rates[:21] == sorted(rates[:21])
    assert rates[20:] == sorted(rates[20:], reverse=True)
    assert rates[100] == pytest.approx(0)
