from collections.abc import Iterator

import pytest

from drill.support.proxy import Proxy, proxied
from tests.support.private_server import PrivateServer


@pytest.fixture
def proxy_and_url(private_server: PrivateServer) -> Iterator[tuple[Proxy, str]]:
    """A proxy before a server of the test's own, and the URL of that way."""
    proxy, url = proxied(private_server.url)
    yield proxy, url
    proxy.close()
