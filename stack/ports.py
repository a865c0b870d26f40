"""Ports on the loopback address: the usual ones, or free ones when those are taken."""

import json
import random
import socket
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from stack.errors import StackError

HOST = "127.0.0.1"

USUAL = {
    "api": 8000,
    "admin": 8001,
    "neo4j": 7687,
    "browser": 7474,
    "queue": 6379,
    "cache": 6380,
    "s3": 8333,
}

SPANS = {"s3": (*range(9), 10008)}
"""Ports a part needs beside its first: the S3 server has nine in a row and one 10,008 above."""

FREE_PORTS = range(20_000, 22_500)
"""Where a free one is looked for: below the system's range for outgoing connections, so that
none of those takes it between our look and the part's start, +10,008 included."""

TRIES = 400


def choose(
    names: Iterable[str],
    *,
    memory: Path,
    usual: Mapping[str, int] | None,
    asked: Mapping[str, int] | None,
    say: Callable[[str], None],
) -> dict[str, int]:
    """A port for each name: the one asked for, else the last one, else the usual, else a free one.

    Remembers them in `memory`; says each that is not the usual one. Without `usual` any free port
    is right and nothing is said. Raises StackError if a port that was asked for is taken.
    """
    last = _remembered(memory)
    chosen: dict[str, int] = {}
    for name in names:
        taken = _all_of(chosen)
        wanted = (asked or {}).get(name)
        if wanted:
            if not _free(name, wanted, taken):
                raise StackError(
                    f"Port {wanted} was asked for {name}, but another program listens there. "
                    "Stop that program, or ask for another port (see docs/running.md)."
                )
            chosen[name] = wanted
            continue
        candidates = [port for port in (last.get(name), (usual or {}).get(name)) if port]
        port = next((port for port in candidates if _free(name, port, taken)), None)
        chosen[name] = port or _any_free(name, taken)
        if usual and chosen[name] != usual[name]:
            kept = chosen[name] == last.get(name)
            why = "as at the last start" if kept else f"as {usual[name]} is not free"
            say(f"{name}: port {chosen[name]} is used, {why}.")
    memory.write_text(json.dumps(last | chosen, indent=1))
    return chosen


def is_free(port: int) -> bool:
    """Whether nobody listens on this port of the loopback address."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except (OSError, OverflowError):
            return False
    return True


def _remembered(memory: Path) -> dict[str, int]:
    try:
        return {str(name): int(port) for name, port in json.loads(memory.read_text()).items()}
    except (OSError, ValueError, AttributeError):
        return {}


def _any_free(name: str, taken: set[int]) -> int:
    generator = random.SystemRandom()
    for _ in range(TRIES):
        port = generator.choice(FREE_PORTS)
        if _free(name, port, taken):
            return port
    raise StackError(f"No free port was found for {name}: too many programs listen on this machine")


def _free(name: str, port: int, taken: set[int]) -> bool:
    needed = {port + offset for offset in SPANS.get(name, (0,))}
    return not needed & taken and all(is_free(one) for one in needed)


def _all_of(chosen: Mapping[str, int]) -> set[int]:
    return {port + offset for name, port in chosen.items() for offset in SPANS.get(name, (0,))}
