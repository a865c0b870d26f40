import pytest

from graph import Graph
from tests.support.maker import Maker


@pytest.fixture
def make(graph: Graph) -> Maker:
    return Maker(graph)
