import time

import pytest

from drill.support.proxy import Proxy
from graph import Graph, GraphSettings, connection
from graph.errors import GraphUnavailableError
from tests.support.town import statement

ONE = statement("RETURN 1 AS one")


def test_a_silent_server_is_waited_for_no_longer_than_our_time_out(
    proxied_settings: GraphSettings, proxy: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Case 32, for an external Neo4j that suggests a long time-out, in a worker (no circuit)."""
    monkeypatch.setattr(connection, "ANSWER_SECONDS", 0.5)
    with Graph.open(proxied_settings) as graph:
        assert graph.connection.read(ONE) == [{"one": 1}]
        proxy.swallow()
        start = time.monotonic()
        with pytest.raises(GraphUnavailableError):
            graph.connection.read(ONE)
        assert 0.4 < time.monotonic() - start < 5  # includes retries, which open a connection
        proxy.resume()
        assert graph.connection.write(ONE) == [{"one": 1}]
