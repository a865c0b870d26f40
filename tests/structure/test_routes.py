"""Every route needs a token, or stands in the list of those that need none, with its reason."""

import ast
from pathlib import Path

import pytest
from flask import Flask

import api.endpoints
from api.app import BLUEPRINTS
from tests.support.bare_app import bare_app

PUBLIC = {
    "accounts.create_account": "the client has no token yet",
    "sessions.create_session": "the client has no token yet",
    "me.restore_account": "the sessions of a deleted account have ended",
    "live.read_live_events": "a ticket opens it; api/live checks tickets and tokens",
    "health.check_liveness": "for the supervisor of the process",
    "health.check_readiness": "for load balancers; contains nothing about users",
    "api-docs.openapi_json": "the contract is public",
    "docs.page": "shows it",
    "docs.start": "the page's script",
    "docs.asset": "the page's own files",
    "hello.page": "signs in itself",
    "hello.file": "the page's own files",
}


@pytest.fixture(scope="module")
def app() -> Flask:
    return bare_app()


def test_every_route_needs_a_token_or_is_listed_as_public(app: Flask) -> None:
    open_routes = {
        name
        for name, view in app.view_functions.items()
        if not getattr(view, "login_required", False)
    }
    assert open_routes == set(PUBLIC)


# Security 1
def test_every_route_that_needs_a_token_answers_401_without_one(app: Flask) -> None:
    client, tried = app.test_client(), 0
    for rule in app.url_map.iter_rules():
        if rule.endpoint in PUBLIC:
            continue
        path = rule.rule
        for name in rule.arguments:
            path = path.replace(f"<id:{name}>", "1")
        for method in rule.methods - {"OPTIONS"}:  # type: ignore[operator]
            answer = client.open(path, method=method)
            assert answer.status_code == 401, (method, path)
            assert answer.headers["WWW-Authenticate"] == "Bearer"
            tried += 1
    assert tried > 25


def test_every_endpoint_file_is_registered() -> None:
    folder = Path(api.endpoints.__file__).parent
    files = {path.stem for path in folder.glob("*.py")} - {"__init__", "docs", "hello"}
    assert {module.__name__.rpartition(".")[2] for module in BLUEPRINTS} == files


def test_an_endpoint_is_short() -> None:
    for path in Path(api.endpoints.__file__).parent.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef):
                statements = len(node.body) - isinstance(node.body[0], ast.Expr)
                assert statements <= 6, f"{path.name}: {node.name} does more than shape an answer"
