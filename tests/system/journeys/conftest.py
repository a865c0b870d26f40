"""Users of the running API, and data that is slow to create through it."""

from collections.abc import Callable

import pytest

from graph import Graph
from tests.support.people import Person
from tests.support.supervised_stack import SupervisedStack
from tests.support.town import Town


@pytest.fixture
def person(services: SupervisedStack) -> Callable[[str], Person]:
    """A function that signs a user up."""
    return services.sign_up


@pytest.fixture
def town(graph: Graph) -> Town:
    return Town(graph)
