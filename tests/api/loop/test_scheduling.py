"""The policy by which the kernel schedules the threads of a web process."""

import os
import threading
from collections.abc import Callable

import pytest

from api.loop.scheduling import schedule_as_batch

pytestmark = pytest.mark.skipif(not hasattr(os, "SCHED_BATCH"), reason="Linux alone has policies")


def in_a_thread(work: Callable[[], int]) -> int:
    """The result of `work` in a thread of its own, as a thread's policy is its own too."""
    results: list[int] = []
    thread = threading.Thread(target=lambda: results.append(work()))
    thread.start()
    thread.join()
    return results[0]


def policy() -> int:
    return os.sched_getscheduler(0)


def test_a_thread_and_those_that_it_starts_are_scheduled_as_batch() -> None:
    def of_a_later_thread() -> int:
        schedule_as_batch()
        return in_a_thread(policy)

    assert in_a_thread(of_a_later_thread) == os.SCHED_BATCH
    assert in_a_thread(policy) == os.SCHED_OTHER, "this process has changed"


def test_the_policy_of_an_operator_stays() -> None:
    def of_an_idle_thread() -> int:
        os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
        schedule_as_batch()
        return policy()

    assert in_a_thread(of_an_idle_thread) == os.SCHED_IDLE
