"""For the control run `announce`: no change is announced, so copies in processes stay old.

The check must then find violations of P3 and P6, or it proves nothing.
"""

import sys
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[3]))

from storage.changes import Changes, Subject


def _keep_silent(_self: Changes, _subjects: Sequence[Subject]) -> None:
    return


Changes.announce = _keep_silent  # type: ignore[assignment,method-assign]
