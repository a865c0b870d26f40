"""Every test of the project, with what stands above it and what its docstring says first."""

import ast
from functools import cache
from pathlib import Path
from typing import NamedTuple

TESTS = Path(__file__).resolve().parents[1]


class MarkedTest(NamedTuple):
    """The marks of one test: lines of comment such as `# Case 16`."""

    above: tuple[str, ...]
    """The two lines before the test and its decorators."""
    says: str
    """The first line of its docstring, or ""."""


@cache
def marked_tests() -> dict[tuple[str, str], MarkedTest]:
    """All tests by file, below tests/, and name."""
    found = {}
    for path in sorted(TESTS.rglob("test_*.py")):
        text = path.read_text()
        lines = text.splitlines()
        for node in ast.parse(text).body:
            if not isinstance(node, ast.FunctionDef) or not node.name.startswith("test_"):
                continue
            first = min([node.lineno, *(one.lineno for one in node.decorator_list)])
            says = (ast.get_docstring(node) or "").partition("\n")[0]
            above = tuple(lines[max(0, first - 3) : first - 1])
            found[path.relative_to(TESTS).as_posix(), node.name] = MarkedTest(above, says)
    return found
