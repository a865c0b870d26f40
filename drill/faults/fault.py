"""What a fault is: its name, its cases, its duration and its effect on the stage."""

import random
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

from drill.stage.stage import DrillStage

Facts = dict[str, Any]
"""What a fault did, for the history: a fault without effect can be seen there."""

Apply = Callable[[DrillStage, random.Random], AbstractContextManager[Facts]]
"""The fault begins on entry and ends on exit. It may add facts until it has ended."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """A kind of fault."""

    name: str
    cases: tuple[int, ...]
    """The cases of docs/promises.md that it produces."""
    seconds: float
    """The longest duration; the shortest is half of it."""
    apply: Apply
    heavy: bool = False
    """Stops every write, so it is planned seldom."""
    empties_cache: bool = False
    """Timelines and bodies are gone afterwards. It is not planned in a calm minute."""


class NoEffectError(Exception):
    """A fault was injected and changed nothing."""
