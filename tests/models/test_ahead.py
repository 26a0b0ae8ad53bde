"""The next thing is made while the last one is used, and nothing else about it differs from a plain loop."""

from threading import Event, current_thread, main_thread

import pytest

from models.ahead import ahead


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
