import re
from collections import Counter

from drill.faults.catalogue import CATALOGUE

LAST_CASE = 44
"""Of docs/promises.md."""


def test_every_fault_has_a_name_of_its_own_and_its_cases() -> None:
    names = Counter(fault.name for fault in CATALOGUE)
    assert set(names.values()) == {1}
    assert all(re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)+", name) for name in names)
    assert all(fault.cases and max(fault.cases) <= LAST_CASE for fault in CATALOGUE)
