"""One measurement: what one side of a row reached in one round."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class Measurement:
    """`value` is in the row's unit; `cpu_us` is the CPU time of one operation, by process."""

    value: float
    cpu_us: Mapping[str, float] = field(default_factory=dict)
