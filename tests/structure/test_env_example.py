"""`.env.example` names every variable that the product reads, and no other."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from stack.roles import ROLE_VARIABLES
from stack.settings import PORT_VARIABLES

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = (
    "api",
    "workers",
    "graph",
    "storage",
    "feed",
    "operators",
    "observing",
    "stack",
    "demo",
    "web_push",
)

WSGI = {"CONTENT_LENGTH", "PATH_INFO", "QUERY_STRING", "REMOTE_ADDR", "REQUEST_METHOD"}
"""What WSGI says of a request in its own `environ`, beside its headers, which begin with HTTP_."""

FOREIGN = {"PATH", "PYTHONPATH", *WSGI}
"""Not ours to explain."""


def test_every_variable_that_is_read_stands_in_the_example() -> None:
    ours = {name for name in read_variables() - FOREIGN if not name.startswith("HTTP_")}
    assert ours <= listed_variables()


def test_the_example_names_no_variable_that_nobody_reads() -> None:
    assert listed_variables() <= read_variables()


def test_the_example_sets_nothing_by_itself() -> None:
    lines = (ROOT / ".env.example").read_text().splitlines()
    assert [line for line in lines if line and not line.startswith("#")] == []


def listed_variables() -> set[str]:
    text = (ROOT / ".env.example").read_text()
    return set(re.findall(r"^#([A-Z][A-Z0-9_]+)=", text, flags=re.MULTILINE))


def read_variables() -> set[str]:
    paths = [
        ROOT / "asgi.py",
        ROOT / "wsgi.py",
        *(path for name in FOLDERS for path in (ROOT / name).rglob("*.py")),
    ]
    found = {name for path in paths if path.exists() for name in names_read(path)}
    return found | set(PORT_VARIABLES.values()) | set(ROLE_VARIABLES)


def names_read(path: Path) -> Iterator[str]:
    """What stands as the first argument of `env.str(…)` and the like, `environ.get(…)`, `getenv`,
    or in the brackets of `environ[…]`."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Call) and node.args and reads_env(node.func):
            yield from constant(node.args[0])
        if isinstance(node, ast.Subscript) and ends_in(node.value, {"environ"}):
            yield from constant(node.slice)


def reads_env(function: ast.expr) -> bool:
    if isinstance(function, ast.Attribute):
        return ends_in(function.value, {"env", "environ"}) or function.attr == "getenv"
    return False


def ends_in(node: ast.expr, names: set[str]) -> bool:
    return (isinstance(node, ast.Name) and node.id in names) or (
        isinstance(node, ast.Attribute) and node.attr in names
    )


def constant(node: ast.expr) -> Iterator[str]:
    if isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value.isupper():
        yield node.value
