"""Which ids are news, and a random schedule against a simple model."""

import random
import secrets

from api.live.events import LastSeen
from api.live.seen import ENTRIES, MOST_IDS, Seen
from graph.ids import MAX_ID

SCHEDULES, STEPS = 300, 60


def looked(*entries: int) -> Seen:
    seen = Seen(0)
    seen.look(entries)
    return seen


def test_what_is_there_at_the_first_look_is_no_news_unless_it_is_younger() -> None:
    assert not Seen(7).look([0, 5, 7])
    assert Seen(7).look([0, 5, 8])
    assert not Seen(7).look([0])


def test_a_new_id_is_news_once_wherever_it_stands() -> None:
    seen = looked(0, 5, 9)
    assert seen.look([0, 5, 7, 9])
    assert not seen.look([0, 5, 7, 9])
    assert seen.newest == 9


def test_a_removed_id_is_no_news_also_when_it_comes_back() -> None:
    seen = looked(0, 5, 9)
    assert not seen.look([0, 5])
    assert not seen.look([0, 5, 9])


def test_older_ids_that_move_into_a_full_window_are_no_news() -> None:
    seen = looked(*range(100, 124))
    assert not seen.look([*range(90, 110)])


def test_what_is_remembered_is_bounded() -> None:
    seen = looked(0)
    for start in range(1, 10_000, 20):
        assert seen.look([0, *range(start, start + 20)])
    assert len(seen._ids) <= MOST_IDS + 1


def test_an_id_of_an_event_is_read_again() -> None:
    last_seen = LastSeen(MAX_ID, 12)
    assert LastSeen.read(str(last_seen)) == last_seen
    assert LastSeen.read(f"{MAX_ID + 1}-0") is None


class ListModel:
    """A timeline as its writers change it, and all windows that were ever looked at."""

    def __init__(self, chance: random.Random) -> None:
        self._chance = chance
        self._next_id = 1_000
        self._left: set[int] = set()
        self.ids: list[int] = []
        self.windows: list[list[int]] = []

    def step(self) -> None:
        name = self._chance.choice(["new"] * 4 + ["late", "late", "leave", "follow", "many"])
        getattr(self, f"_{name}")()

    def look(self) -> tuple[list[int], bool]:
        """The window, and whether it has an id that no window had, and that is no older one.

        Older than all of a full window is what stood outside of it at that look.
        """
        window = [0, *self.ids][-ENTRIES:]
        oldest = max((min(w) for w in self.windows), default=0)
        news = {i for i in window if i > oldest and not any(i in w for w in self.windows)}
        self.windows.append(window)
        return window, bool(news)

    def _new(self) -> None:
        self._next_id += 10
        self.ids.append(self._next_id)

    def _many(self) -> None:
        for _ in range(self._chance.randrange(40)):
            self._new()

    def _late(self) -> None:
        """An id below the tail, at its place."""
        late = self._next_id - self._chance.randrange(1, 300)
        if late not in self.ids and late not in self._left:
            self.ids = sorted([*self.ids, late])

    def _leave(self) -> None:
        gone = {i for i in self.ids if i % self._chance.randrange(2, 5) == 0}
        self._left |= gone
        self.ids = sorted(set(self.ids) - gone)

    def _follow(self) -> None:
        self.ids = sorted({*self.ids, *self._left})
        self._left = set()


def test_random_schedules_tick_for_every_new_visible_id_and_for_nothing_else() -> None:
    seed = secrets.randbits(32)
    print(f"seed {seed}")
    chance = random.Random(seed)
    for number in range(SCHEDULES):
        model, seen = ListModel(chance), Seen(0)
        for _ in range(chance.randrange(20)):
            model.step()
        seen.look(model.look()[0])
        for _ in range(STEPS):
            for _ in range(chance.randrange(3)):
                model.step()
            window, is_news = model.look()
            assert seen.look(window) == is_news, number
