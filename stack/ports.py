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
HIGHEST = 65_535
CALL_SECONDS = 0.5
TAKEN = "is taken: another program listens there"


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
    is right and nothing is said. Raises StackError if a port that was asked for cannot be had.
    """
    names = list(names)
    last = _remembered(memory)
    chosen = _asked_for({name: asked[name] for name in names if name in asked} if asked else {})
    for name in names:
        if name in chosen:
            continue
        taken = _all_of(chosen)
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
    """Whether we may listen on this port of the loopback address, and nobody else does."""
    return obstacle(port) is None


def obstacle(port: int) -> str | None:
    """Why we cannot listen on this port, as the end of a sentence; None if we can."""
    if not 0 < port <= HIGHEST:
        return f"does not exist: ports go from 1 to {HIGHEST}"
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except PermissionError:
            return "may not be opened by you: permission denied (mostly so below 1024)"
        except OSError:
            return TAKEN
    return TAKEN if _answers(port) else None


def _answers(port: int) -> bool:
    """Where binding beside a listener of all addresses is allowed, only a call tells of it."""
    with socket.socket() as caller:
        caller.settimeout(CALL_SECONDS)
        return caller.connect_ex((HOST, port)) == 0


def _asked_for(asked: Mapping[str, int]) -> dict[str, int]:
    """The same ports, all of which can be had together. Raises StackError."""
    chosen: dict[str, int] = {}
    for name, port in asked.items():
        for offset in SPANS.get(name, (0,)):
            needed = port + offset
            own = f"Port {port} was asked for {name}"
            also = f"{own}, which also needs {needed}. That port" if offset else f"{own}. It"
            other = next((one for one in chosen if needed in _all_of({one: chosen[one]})), None)
            why = f"was asked for {other} too" if other else obstacle(needed)
            if why:
                raise StackError(f"{also} {why}. Ask for another port (see docs/running.md).")
        chosen[name] = port
    return chosen


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
