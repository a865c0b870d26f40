"""For the control run `drop`: removes the drop of timelines from every process that imports this.

The check must then find violations of P6, or it proves nothing.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[3]))

from storage.timelines import Timelines


def _keep(_self: Timelines, *_user_ids: int) -> None:
    return


Timelines.drop = _keep  # type: ignore[assignment,method-assign]
