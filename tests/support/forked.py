"""The fork server of this process and its children, seen from outside."""

from pathlib import Path

import psutil

from tests.support.eventually import eventually


def fork_servers() -> list[psutil.Process]:
    """The running fork servers of this process: one, after the first picture."""
    return [child for child in psutil.Process().children() if _is_fork_server(child)]


def _is_fork_server(process: psutil.Process) -> bool:
    return process.status() != psutil.STATUS_ZOMBIE and "multiprocessing.forkserver" in " ".join(
        process.cmdline()
    )


def children() -> list[psutil.Process]:
    """The children of this process's fork server."""
    return [child for server in fork_servers() for child in server.children()]


def stop_fork_servers() -> None:
    """The next picture starts another one."""
    for server in fork_servers():
        server.kill()
        eventually(lambda s=server: s.status() == psutil.STATUS_ZOMBIE)  # type: ignore[misc]


def status_of(pid: int) -> dict[str, str]:
    """The lines of /proc/<pid>/status by their names."""
    lines = Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines()
    return {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}


def confined_child() -> psutil.Process:
    """The one child, once its filter is set."""

    def check() -> psutil.Process | None:
        found = [child for child in children() if status_of(child.pid)["Seccomp"] == "2"]
        return found[0] if found else None

    process = eventually(check)
    assert process
    return process


def memory_of(pid: int) -> bytes:
    """All that the process has written or read, in one piece."""
    parts = []
    with Path(f"/proc/{pid}/mem").open("rb", 0) as memory:
        for line in Path(f"/proc/{pid}/maps").read_text(encoding="utf-8").splitlines():
            place, rights, *_ = line.split()
            if not rights.startswith("rw"):
                continue
            begin, end = (int(bound, 16) for bound in place.split("-"))
            memory.seek(begin)
            parts.append(memory.read(end - begin))
    return b"".join(parts)
