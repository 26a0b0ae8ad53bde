"""The next thing is made while the last one is used, and nothing else about it differs from a plain loop."""

from threading import Event, current_thread, main_thread

import pytest
import torch

from models.ahead import ahead, ahead_of


def test_things_come_in_order_and_are_made_by_a_thread() -> None:
    made = ahead(lambda item: (2 * item, current_thread()), range(20))
    items, threads = zip(*made, strict=True)
    assert items == tuple(range(0, 40, 2))
    assert main_thread() not in threads


def test_the_next_is_made_while_the_last_is_used_and_no_more() -> None:
    made = [Event() for _ in range(4)]
    things = ahead(lambda number: made[number].set(), range(4))
    next(things)
    assert made[1].wait(10)
    assert not made[2].wait(0.05)
    next(things)
    assert made[2].wait(10)


def test_nothing_is_made_of_nothing() -> None:
    assert list(ahead(lambda item: item, [])) == []


def test_an_error_comes_after_what_was_made_before_it() -> None:
    things = ahead(lambda item: 1 / item, [2, 1, 0, 1])
    assert [next(things), next(things)] == [0.5, 1]
    with pytest.raises(ZeroDivisionError):
        next(things)


@pytest.mark.parametrize(("device", "elsewhere"), [("cpu", False), ("cuda", True)])
def test_only_a_device_that_leaves_the_cpu_free_has_a_thread_read_for_it(device: str, elsewhere: bool) -> None:
    made = ahead_of(torch.device(device), lambda item: (item, current_thread() is not main_thread()), range(3))
    assert list(made) == [(item, elsewhere) for item in range(3)]
