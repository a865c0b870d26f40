"""The tables that `make up` and `make status` print."""

import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from urllib.parse import quote, urlsplit

import psutil
from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table

from stack.supervision.launcher import LAUNCHER
from stack.supervision.records import Record

WIDTH = 200
"""Characters; more than the table needs, so that the table breaks no line. A narrow terminal wraps
its lines, and still copies them unbroken."""

FROM_USER = "what you gave"
"""In place of a secret that the user has set."""


def show_access(env: Mapping[str, str], *, secrets_file: Path) -> None:
    """Print the addresses of the running stack and how to log in.

    The secrets of Redis and S3 are not printed, only the file that holds them.
    """
    secrets = [line.partition("=")[2] for line in secrets_file.read_text().splitlines()]

    def place(what: str, value: str) -> str:
        is_local = any(secret in value for secret in secrets)
        return f"{what} in {secrets_file}" if is_local else FROM_USER

    api, queue, cache = env["API_URL"], env["QUEUE_REDIS_URL"], env["CACHE_REDIS_URL"]
    bucket = f"{env['S3_ENDPOINT_URL']}/{env['S3_BUCKET']}"
    rows = [
        ("API", api, "make an account: POST /v1/accounts"),
        ("API document", f"{api}/docs", ""),
        ("A page of the feed", f"{api}/hello", "an account, such as those of `make demo`"),
        ("Neo4j Browser", browser_url(env) or "that of your Neo4j", _neo4j_login(env)),
        ("Neo4j, Bolt", env["NEO4J_URI"], "the same"),
        ("Jobs and metrics", env["ADMIN_URL"], f"admin / {env['ADMIN_PASSWORD']}"),
        ("S3", bucket, place("keys", env["AWS_SECRET_ACCESS_KEY"])),
        ("Redis queue", _without_password(queue), place("password", queue)),
        ("Redis cache", _without_password(cache), place("password", cache)),
    ]
    table = Table(box=SIMPLE, title="Photofeed runs")
    for name in ("what", "where", "log in"):
        table.add_column(name, no_wrap=True)
    for row in rows:
        table.add_row(*row)
    console = Console()
    console.width = max(console.width, WIDTH)
    console.print(table)


def browser_url(env: Mapping[str, str]) -> str:
    """Neo4j Browser with its form filled in, without the password; empty for an external Neo4j."""
    browser = env.get("NEO4J_BROWSER_URL", "")
    if not browser:
        return ""
    scheme, _, address = env.get("NEO4J_URI", "bolt://127.0.0.1:7687").partition("://")
    login = quote(f"{scheme}://{env.get('NEO4J_USER', 'neo4j')}@{address}", safe=":/@")
    return f"{browser}?connectURL={login}"


def _neo4j_login(env: Mapping[str, str]) -> str:
    """User and password. The password of an external Neo4j is not printed."""
    password = env["NEO4J_PASSWORD"] if env.get("NEO4J_BROWSER_URL") else FROM_USER
    return f"{env['NEO4J_USER']} / {password}"


def _without_password(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.hostname}:{parts.port}{parts.path}"


def show_status(running: Iterable[Record]) -> None:
    """Print each process: its pid, its age, and its memory, that of its children included."""
    table = Table("part", "pid", "runs for", "memory", box=SIMPLE)
    for record in sorted(running, key=lambda record: record.pid):
        try:
            process = psutil.Process(record.pid)
            seconds = int(time.time() - process.create_time())
            children = [] if record.name == LAUNCHER else process.children(recursive=True)
        except psutil.NoSuchProcess:
            continue  # it has ended since the record was read
        megabytes = sum(_memory_bytes(member) for member in (process, *children)) / 1e6
        age = f"{seconds // 3600}:{seconds // 60 % 60:02}:{seconds % 60:02}"
        table.add_row(record.name, str(record.pid), age, f"{megabytes:.0f} MB")
    Console().print(table)


def _memory_bytes(process: psutil.Process) -> int:
    """Resident memory; 0 for a process that has ended."""
    try:
        return int(process.memory_info().rss)
    except psutil.NoSuchProcess:
        return 0
