"""The positions of slow walks, in the queue's Redis."""

import secrets

from storage import Storage


def test_a_walk_goes_on_where_it_stopped_and_begins_anew_at_its_end(storage: Storage) -> None:
    walk = f"test-{secrets.token_hex(6)}"
    positions = storage.sweep_positions
    assert positions.read(walk) == ""
    positions.move(walk, "incoming/é")
    assert positions.read(walk) == "incoming/é"
    assert storage.queue.client.ttl(f"sw:{walk}") > 86_400
    positions.move(walk, None)
    assert positions.read(walk) == ""
