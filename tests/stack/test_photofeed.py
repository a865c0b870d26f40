from graph.event_kinds import QUEUES
from stack.parts.photofeed import WORKERS


def test_each_queue_of_the_product_has_a_worker_and_there_is_a_sweeper() -> None:
    assert (*QUEUES, "sweeper") == WORKERS
