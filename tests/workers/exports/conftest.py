"""What the tests of exports share."""

import pytest

from workers.exports import building


@pytest.fixture(autouse=True)
def any_size(monkeypatch: pytest.MonkeyPatch) -> None:
    """No part is smaller because S3 was slow in another test."""
    monkeypatch.setattr(building, "_planned_bytes", float("inf"))
