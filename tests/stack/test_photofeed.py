import resource

import pytest

from graph.event_kinds import QUEUES
from stack.parts.photofeed import WORKERS, Api


def test_each_queue_of_the_product_has_a_worker_and_there_are_a_sweeper_and_a_notifier() -> None:
    assert (*QUEUES, "sweeper", "notifier") == WORKERS


@pytest.mark.parametrize(
    ("limit", "connections"),
    [(20_000, 16_384), (4_096, 3_584), (1_024, 512), (resource.RLIM_INFINITY, 16_384)],
)
def test_a_web_process_holds_fewer_connections_than_it_may_have_files(
    monkeypatch: pytest.MonkeyPatch, limit: int, connections: int
) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda _kind: (256, limit))
    command = list(Api(port=1, workers=1, env={}).command())
    assert command[command.index("--backpressure") + 1] == str(connections)
