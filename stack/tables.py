"""What the person at the terminal is shown when everything runs."""

import time
from collections.abc import Iterable, Mapping
from urllib.parse import quote

import psutil
from rich.table import Table

from stack.records import Record


def access_table(env: Mapping[str, str]) -> Table:
    """What there is, where, and how to log in."""
    table = Table("what", "where", "log in", title="Photofeed runs", title_justify="left")
    for column in table.columns:
        column.overflow = "fold"  # nothing is cut off: these are to be copied
    api, admin = env["API_URL"], env["ADMIN_URL"]
    table.add_row("API", api, "POST /v1/users, then the token of POST /v1/sessions")
    table.add_row("API document", f"{api}/docs", "none")
    table.add_row("Neo4j Browser", browser_url(env), neo4j_login(env))
    table.add_row("Neo4j (Bolt)", env["NEO4J_URI"], "the same")
    password = env["ADMIN_PASSWORD"]
    table.add_row("Jobs, metrics", f"{admin}/", f"admin / {password}")
    keys = f"{env['AWS_ACCESS_KEY_ID']} / {env['AWS_SECRET_ACCESS_KEY']}"
    table.add_row("S3", f"{env['S3_ENDPOINT_URL']}/{env['S3_BUCKET']}", keys)
    for name in ("queue", "cache"):
        table.add_row(f"Redis {name}", env[f"{name.upper()}_REDIS_URL"], "in the URL")
    return table


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
    password = env["NEO4J_PASSWORD"] if env.get("NEO4J_BROWSER_URL") else "the one you gave"
    return f"{env['NEO4J_USER']} / {password}"


def status_table(known: Iterable[Record]) -> Table:
    """The processes that run: pid, for how long, how much memory with their children."""
    table = Table("part", "pid", "runs for", "memory")
    for record in sorted(known, key=lambda one: one.pid):
        process = psutil.Process(record.pid)
        seconds = int(time.time() - process.create_time())
        family = [process, *process.children(recursive=True)]
        megabytes = sum(one.memory_info().rss for one in family) / 1e6
        lasts = f"{seconds // 3600}:{seconds // 60 % 60:02}:{seconds % 60:02}"
        table.add_row(record.name, str(record.pid), lasts, f"{megabytes:.0f} MB")
    return table
