"""Ports on the loopback address: the default ones, or free ones if those are taken."""

import json
import random
import socket
from collections.abc import Iterable, Mapping
from pathlib import Path

from stack.errors import StackError
from stack.terminal import Report

HOST = "127.0.0.1"

DEFAULTS = {
    "api": 8000,
    "admin": 8001,
    "neo4j": 7687,
    "browser": 7474,
    "queue": 6379,
    "cache": 6380,
    "s3": 8333,
}

OFFSETS = {"s3": (*range(9), 10008)}
"""Offsets of the ports that a part needs, from its first port; (0,) for a part not listed."""

FREE_PORTS = range(20_000, 22_500)
"""The range of free ports. With an offset of 10,008 it still ends below Linux's ephemeral ports,
so no outgoing connection takes a port between the check and the part's start."""

TRIES = 400
HIGHEST = 65_535
CONNECT_SECONDS = 0.5
TAKEN = "another program listens on that port"


def choose(
    names: Iterable[str],
    *,
    file: Path,
    defaults: Mapping[str, int] | None,
    requested: Mapping[str, int] | None,
    report: Report,
) -> dict[str, int]:
    """A port for each name: the requested one, the last one, the default one, or a free one.

    Stores the ports in `file`, and reports each port that is not the default. Without `defaults`
    nothing is reported. Raises StackError if a requested port cannot be used.
    """
    names = list(names)
    last = _load(file)
    chosen = _reserve({name: port for name, port in (requested or {}).items() if name in names})
    for name in names:
        if name in chosen:
            continue
        taken = _all_of(chosen)
        candidates = [port for port in (last.get(name), (defaults or {}).get(name)) if port]
        port = next((port for port in candidates if _is_usable(name, port, taken)), None)
        chosen[name] = port or _draw(name, taken)
        if defaults and chosen[name] != defaults[name]:
            is_last = chosen[name] == last.get(name)
            why = "as at the last start" if is_last else f"as {defaults[name]} is not free"
            report(f"{name}: port {chosen[name]} is used, {why}.")
    file.write_text(json.dumps(last | chosen, indent=1))
    return chosen


def is_free(port: int) -> bool:
    """Whether we can listen on this port of the loopback address, and no other program does."""
    return obstacle(port) is None


def obstacle(port: int) -> str | None:
    """Why we cannot listen on this port, as a clause of a message; None if we can."""
    if not 0 < port <= HIGHEST:
        return f"ports go from 1 to {HIGHEST}"
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except PermissionError:
            return "you may not open that port (as a rule, ports below 1024 need root)"
        except OSError:
            return TAKEN
    return TAKEN if _answers(port) else None


def _answers(port: int) -> bool:
    """Whether a program answers there: some systems allow a bind beside its listener."""
    with socket.socket() as client:
        client.settimeout(CONNECT_SECONDS)
        return client.connect_ex((HOST, port)) == 0


def _reserve(requested: Mapping[str, int]) -> dict[str, int]:
    """The requested ports. Raises StackError unless all of them are free, offsets included."""
    chosen: dict[str, int] = {}
    for name, port in requested.items():
        for needed in sorted(_needed(name, port)):
            owner = next(
                (other for other, first in chosen.items() if needed in _needed(other, first)), None
            )
            why = f"that port is requested for {owner}" if owner else obstacle(needed)
            if why:
                also = f", as it also needs port {needed}" if needed != port else ""
                raise StackError(
                    f"{name} cannot use port {port}{also}: {why}. Request another port "
                    "(see docs/running.md)."
                )
        chosen[name] = port
    return chosen


def _load(file: Path) -> dict[str, int]:
    """The ports of the last start; none if the file is missing or damaged."""
    try:
        return {str(name): int(port) for name, port in json.loads(file.read_text()).items()}
    except (OSError, ValueError, AttributeError):
        return {}


def _draw(name: str, taken: set[int]) -> int:
    generator = random.SystemRandom()
    for _ in range(TRIES):
        port = generator.choice(FREE_PORTS)
        if _is_usable(name, port, taken):
            return port
    raise StackError(f"No free port was found for {name}: too many programs listen on this machine")


def _is_usable(name: str, port: int, taken: set[int]) -> bool:
    needed = _needed(name, port)
    return not needed & taken and all(is_free(number) for number in needed)


def _needed(name: str, port: int) -> set[int]:
    """Every port of a part whose first port is `port`."""
    return {port + offset for offset in OFFSETS.get(name, (0,))}


def _all_of(chosen: Mapping[str, int]) -> set[int]:
    return {port for name, first in chosen.items() for port in _needed(name, first)}
