"""The order of the system tests."""

import pytest

LONGEST_FILES = (
    "drill/test_short.py",
    "drill/test_control.py",
    "operators/test_backup.py",
    "outages/test_graph_outages.py",
    "operators/test_rolling.py",
    "stack/test_whole_stack.py",
    "journeys/test_walks.py",
    "journeys/test_walk_script.py",
)
"""Of two test processes, each gets whole files. These run first, so that no process gets a long
file at the end."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Puts the tests of LONGEST_FILES before all others."""
    items.sort(key=place)


def place(item: pytest.Item) -> int:
    """The place of the test's file in LONGEST_FILES; beyond its end for other files."""
    path = item.path.as_posix()
    places = [n for n, name in enumerate(LONGEST_FILES) if path.endswith(f"/system/{name}")]
    return places[0] if places else len(LONGEST_FILES)
