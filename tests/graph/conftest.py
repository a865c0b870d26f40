import pytest

from graph import Graph
from tests.graph.making import Maker


@pytest.fixture
def make(graph: Graph) -> Maker:
    return Maker(graph)
