"""The stage on a cache that a test may kill, fill and replace."""

from collections.abc import Callable

import pytest

from tests.support.private_server import PrivateServer
from tests.support.stage import Stage


@pytest.fixture
def stage(open_stage: Callable[[str], Stage], cache: PrivateServer) -> Stage:
    return open_stage(cache.url)
