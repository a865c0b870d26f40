"""The rows of the bench send the product's statements with exactly their parameters."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from graph.queries import LOADED

ROWS = Path(__file__).parents[2] / "bench" / "rows"


def _statements_sent() -> Iterator[tuple[str, set[str]]]:
    """The name of each statement that a row sends, and its keywords."""
    for path in sorted(ROWS.glob("*.py")):
        for call in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            match call:
                case ast.Call(
                    args=[ast.Call(func=ast.Name(id="statement"), args=[ast.Constant(value=name)])],
                    keywords=keywords,
                ):
                    yield str(name), {str(keyword.arg) for keyword in keywords}


SENT = list(_statements_sent())


def test_rows_send_statements() -> None:
    assert {name for name, _ in SENT} >= {"posts/create", "follows/create"}


@pytest.mark.parametrize(("name", "keywords"), SENT, ids=[name for name, _ in SENT])
def test_statement_gets_its_parameters(name: str, keywords: set[str]) -> None:
    assert keywords == LOADED[name].parameters.keys()
