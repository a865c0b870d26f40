"""The unread count that a timeline's tail proves, compared with a model."""

import random

from feed.unread import count_in_tail
from graph.ids import new_id
from storage import Storage
from storage.timeline_layout import DISORDER, timeline_key


def test_a_count_that_the_tail_proves_equals_the_models_count(storage: Storage) -> None:
    seed = random.randrange(1 << 32)
    print("seed", seed)
    dice, client, proved = random.Random(seed), storage.cache.client, 0
    for viewer in range(1, 151):
        base, step = new_id() - (1 << 40), dice.choice([DISORDER // 50, DISORDER // 3, DISORDER])
        ids = [base + n * step + dice.randrange(step) for n in range(dice.randrange(160))]
        authors = {i: dice.choice([viewer, 7_000, 7_001, 0]) for i in ids}
        ordered = sorted(ids, key=lambda i: i + dice.randrange(DISORDER))
        entries = [0, *ordered, *dice.sample(ordered[-3:], min(len(ordered), 1))]
        if dice.random() < 0.4:
            entries = entries[dice.randrange(len(entries)) :]
        client.rpush(timeline_key(viewer), *entries)
        for i, author in authors.items():
            body = f'{{"id":"{i}","author":{{"id":"{author}"}}}}' if author else ""
            client.set(f"p:{i}", body, ex=60)
        position = dice.choice([0, base, *ids])
        tail = storage.read_positions.tail(viewer, most=100, position=position)
        storage.timelines.drop(viewer)
        unread_count = count_in_tail(tail, viewer, 100)
        if unread_count:
            proved += 1
            others = [i for i in ids if i > position and authors[i] not in {0, viewer}]
            newest = max((i for i in ids if authors[i]), default=None)
            count = min(len(others), 100)
            assert (unread_count.count, unread_count.newest_id) == (count, newest)
            assert unread_count.capped == (len(others) > 100)
    assert proved > 50
