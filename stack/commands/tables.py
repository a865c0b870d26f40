"""What the person at the terminal is shown when everything runs."""

import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from urllib.parse import quote, urlsplit

import psutil
from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table

from stack.supervision.records import Record

WIDE = 200
"""Characters: wider than the table ever is. A narrow terminal breaks its lines, and copies them
whole."""


def show_access(env: Mapping[str, str], *, secrets_file: Path) -> None:
    """Prints what there is, where, and how to log in. No line is broken: they are for copying."""
    ours = [line.partition("=")[2] for line in secrets_file.read_text().splitlines()]

    def kept(what: str, value: str) -> str:
        own = any(secret in value for secret in ours)
        return f"{what} in {secrets_file}" if own else "what you gave"

    api, admin = env["API_URL"], env["ADMIN_URL"]
    rows = [
        ("API", api, "make an account: POST /v1/accounts"),
        ("API document", f"{api}/docs", ""),
        ("Neo4j Browser", browser_url(env), neo4j_login(env)),
        ("Neo4j, Bolt", env["NEO4J_URI"], "the same"),
        ("Jobs and metrics", admin, f"admin / {env['ADMIN_PASSWORD']}"),
        (
            "S3",
            f"{env['S3_ENDPOINT_URL']}/{env['S3_BUCKET']}",
            kept("keys", env["AWS_SECRET_ACCESS_KEY"]),
        ),
        (
            "Redis queue",
            _without_password(env["QUEUE_REDIS_URL"]),
            kept("password", env["QUEUE_REDIS_URL"]),
        ),
        (
            "Redis cache",
            _without_password(env["CACHE_REDIS_URL"]),
            kept("password", env["CACHE_REDIS_URL"]),
        ),
    ]
    table = Table(box=SIMPLE, title="Photofeed runs")
    for name in ("what", "where", "log in"):
        table.add_column(name, no_wrap=True)
    for row in rows:
        table.add_row(*row)
    console = Console()
    console.width = max(console.width, WIDE)
    console.print(table)


def browser_url(env: Mapping[str, str]) -> str:
    """Neo4j Browser, its form filled in but for the password."""
    served = env.get("NEO4J_BROWSER_URL", "")
    if not served:
        return "that of your Neo4j"
    scheme, _, address = env["NEO4J_URI"].partition("://")
    login = quote(f"{scheme}://{env['NEO4J_USER']}@{address}", safe=":/@")
    return f"{served}?connectURL={login}"


def neo4j_login(env: Mapping[str, str]) -> str:
    """User and password; only those that are ours."""
    password = env["NEO4J_PASSWORD"] if env.get("NEO4J_BROWSER_URL") else "what you gave"
    return f"{env['NEO4J_USER']} / {password}"


def _without_password(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.hostname}:{parts.port}{parts.path}"


def show_status(known: Iterable[Record], *, launcher: str) -> None:
    """Prints the processes that run: pid, for how long, how much memory with their children."""
    table = Table("part", "pid", "runs for", "memory", box=SIMPLE)
    for record in sorted(known, key=lambda one: one.pid):
        try:
            process = psutil.Process(record.pid)
            seconds = int(time.time() - process.create_time())
            children = [] if record.name == launcher else process.children(recursive=True)
        except psutil.NoSuchProcess:
            continue  # it has ended since the record was read
        megabytes = sum(_memory(one) for one in (process, *children)) / 1e6
        lasts = f"{seconds // 3600}:{seconds // 60 % 60:02}:{seconds % 60:02}"
        table.add_row(record.name, str(record.pid), lasts, f"{megabytes:.0f} MB")
    Console().print(table)


def _memory(process: psutil.Process) -> int:
    """Bytes; 0 for one that has ended since it was found."""
    try:
        return int(process.memory_info().rss)
    except psutil.NoSuchProcess:
        return 0
