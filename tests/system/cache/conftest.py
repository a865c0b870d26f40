"""The stage on a cache of the test's own that may be killed, filled and replaced."""

from collections.abc import Callable

import pytest

from tests.support.private_server import PrivateServer
from tests.support.stage import Stage


@pytest.fixture
def stage(open_stage: Callable[[str], Stage], cache: PrivateServer) -> Stage:
    """The stage on the test's own cache."""
    return open_stage(cache.url)
