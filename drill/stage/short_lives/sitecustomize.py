"""For the soak: shortens what is kept in this process.

The soak puts this folder on the PYTHONPATH of the processes that it starts, so the product needs no
hook.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[3]))

from drill.stage.short_lives.lives import shorten

shorten()
