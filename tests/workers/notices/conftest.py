import pytest

from tests.support.notices import Clock, SteppedNotifier, Watched
from tests.support.stage import Stage


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def people(stage: Stage, clock: Clock) -> Watched:
    return Watched(stage, clock)


@pytest.fixture
def author(stage: Stage) -> int:
    return stage.town.user("Ana")


@pytest.fixture
def reader(people: Watched, author: int) -> int:
    """A subscriber who follows the author."""
    return people.reader(author)


@pytest.fixture
def notifier(stage: Stage, clock: Clock, reader: int) -> SteppedNotifier:
    """It has looked at the reader once."""
    return SteppedNotifier(stage, clock, reader)
