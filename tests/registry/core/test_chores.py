"""What the sweeper does beside runs."""

import threading
from collections.abc import Iterator
from unittest import mock

import pytest

from registry.core import chores
from registry.core.chores import Chore, add_chore, do_chores


@pytest.fixture(autouse=True)
def none_but_ours() -> Iterator[None]:
    with mock.patch.object(chores, "CHORES", {}):
        yield


def test_chore_is_done_when_it_is_due_or_all_are_asked_for() -> None:
    add_chore(Chore("each time", lambda: 1))
    add_chore(Chore("each hour", lambda: 2, every_seconds=3600))
    assert do_chores() == {"each time": 1, "each hour": 2}
    assert do_chores() == {"each time": 1}
    assert do_chores(all_now=True) == {"each time": 1, "each hour": 2}


def test_chore_that_fails_keeps_none_of_the_others() -> None:
    def broken() -> int:
        raise ValueError("broken")

    add_chore(Chore("broken", broken))
    add_chore(Chore("whole", lambda: 3))
    assert do_chores() == {"whole": 3}


def test_slow_chore_keeps_nobody_waiting_and_is_not_done_twice_at_once() -> None:
    begun, released, threads = threading.Event(), threading.Event(), set()

    def slow() -> int:
        threads.add(threading.current_thread())
        begun.set()
        assert released.wait(10)
        return 4

    add_chore(Chore("slow", slow, is_slow=True))
    add_chore(Chore("quick", lambda: 1))
    assert do_chores() == {"quick": 1}
    assert begun.wait(10)
    assert do_chores() == {"quick": 1}
    released.set()
    for thread in threads:
        thread.join()
    assert len(threads) == 1
    assert do_chores(all_now=True) == {"slow": 4, "quick": 1}
    assert do_chores(all_now=True, with_slow=False) == {"quick": 1}
