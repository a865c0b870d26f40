"""The document of one operation: what its docstring and its schemas do not say."""

from collections.abc import Callable, Iterator, Mapping
from copy import deepcopy
from typing import Any, TypeVar

from apispec import APISpec, BasePlugin
from flask import Flask

from api.http.auth import SCHEME
from api.http.openapi import problems
from api.http.openapi.problems import DocumentedProblem, problem_of, responses_of
from api.http.responses import JSON
from api.schemas.examples import example_of
from api.schemas.fields import Choice

View = TypeVar("View", bound=Callable[..., Any])

EVERYWHERE = {
    problems.TOKEN_IN_QUERY,
    problems.MALFORMED_JSON,
    problems.NOT_SIGNED_IN,
    problems.BODY_TOO_LARGE,
    problems.UNSUPPORTED_MEDIA_TYPE,
    problems.TOO_MANY_REQUESTS,
    *problems.UNAVAILABLE,
}
"""The description of the whole document explains these; operations do not repeat them."""

PAGING = """\
**Paging**: send `next` as `cursor` to get the next page. A page can have fewer than `limit` items:
only a response without `next` is the end."""


def raises(*errors: type[Exception]) -> Callable[[View], View]:
    """Decorates a view: the document lists these errors. Shared errors need not be listed."""

    def decorate(view: View) -> View:
        view.raises = errors  # type: ignore[attr-defined]
        return view

    return decorate


def takes(parameter: dict[str, Any]) -> Callable[[View], View]:
    """Decorates a view: the document lists this parameter. The view reads it by itself."""

    def decorate(view: View) -> View:
        view.takes = parameter  # type: ignore[attr-defined]
        return view

    return decorate


def operation_id(view_name: str) -> str:
    """The id of the operation that a view serves: `listFollowing` for `list_following`."""
    first, *others = view_name.split("_")
    return first + "".join(word.capitalize() for word in others)


class OperationPlugin(BasePlugin):
    """Completes operations after apispec's own plugins have resolved their schemas."""

    def __init__(self, app: Flask) -> None:
        self._app = app
        self._examples: dict[str, Any] = {}

    def init_spec(self, spec: APISpec) -> None:
        """Keep the spec, to add components to it."""
        self._components = spec.components

    def schema_helper(
        self, name: str, definition: dict[str, Any], *, schema: Any = None, **_: Any
    ) -> dict[str, Any] | None:
        """Note the example of a schema, and replace its choices by references."""
        if schema is None:
            return None
        instance = schema() if isinstance(schema, type) else schema
        self._examples[name] = example_of(instance)
        choices = {n: f for n, f in instance.fields.items() if isinstance(f, Choice)}
        references = {n: self._reference(choice) for n, choice in choices.items()}
        return {"properties": {**definition["properties"], **references}}

    def _reference(self, choice: Choice) -> dict[str, str]:
        if choice.schema_name not in self._components.schemas:
            self._components.schema(choice.schema_name, choice.schema)
        reference: dict[str, str] = self._components.get_ref("schema", choice.schema_name)
        return reference

    def operation_helper(
        self,
        path: str | None = None,
        operations: dict[str, dict[str, Any]] | None = None,
        **kwargs: Any,
    ) -> None:
        """Add id, security, problems, paging and examples to the operations of the route `rule`."""
        endpoint: str = kwargs["rule"].endpoint
        view = self._app.view_functions[endpoint]
        for operation in (operations or {}).values():
            if parameter := getattr(view, "takes", None):
                operation.setdefault("parameters", []).append(deepcopy(parameter))
            listed = list(dict.fromkeys(_problems(path or "", operation, view)))
            operation["operationId"] = operation_id(endpoint.rpartition(".")[2])
            operation["security"] = [{SCHEME: []}] if _needs_token(view) else []
            operation["description"] = _description(operation, listed)
            operation["responses"] = _responses(operation["responses"], listed)
            self._add_examples(operation)

    def _add_examples(self, operation: dict[str, Any]) -> None:
        bodies = [operation.get("requestBody", {}), *operation["responses"].values()]
        for body in bodies:
            media = body.get("content", {}).get(JSON) if isinstance(body, Mapping) else None
            if media and "$ref" in media["schema"]:
                media["example"] = self._examples[media["schema"]["$ref"].rpartition("/")[2]]


def _needs_token(view: Any) -> bool:
    return getattr(view, "login_required", False)


def _problems(path: str, operation: Mapping[str, Any], view: Any) -> Iterator[DocumentedProblem]:
    """The problems of an operation: those of every request like it, and its own."""
    queries = [p["name"] for p in operation.get("parameters", ()) if p["in"] == "query"]
    yield problems.TOKEN_IN_QUERY
    if "requestBody" in operation:
        yield problems.MALFORMED_JSON
        yield problems.BODY_TOO_LARGE
        yield problems.UNSUPPORTED_MEDIA_TYPE
    if "cursor" in queries:
        yield problems.INVALID_CURSOR
    if _needs_token(view):
        yield problems.NOT_SIGNED_IN
        yield problems.TOO_MANY_REQUESTS
    if "{" in path:
        yield problems.NOT_FOUND
    if "requestBody" in operation or queries:
        yield problems.INVALID_FIELDS
    for error in getattr(view, "raises", ()):
        yield problem_of(error)
    if path.startswith("/v1/"):
        yield from problems.UNAVAILABLE


def _description(operation: Mapping[str, Any], listed: list[DocumentedProblem]) -> str:
    """The docstring's, then paging, then the operation's own errors."""
    paged = any(parameter["name"] == "cursor" for parameter in operation.get("parameters", ()))
    own = sorted((one for one in listed if one not in EVERYWHERE), key=lambda one: one.status)
    errors = "\n".join(f"- {one.status} `{one.code}`: {one.meaning or one.detail}" for one in own)
    parts = [
        operation.get("description", ""),
        PAGING if paged else "",
        f"**Errors**:\n\n{errors}" if errors else "",
    ]
    return "\n\n".join(part for part in parts if part)


def _responses(responses: Mapping[Any, Any], listed: list[DocumentedProblem]) -> dict[str, Any]:
    """The responses by status, `default` last. Problems replace flask-smorest's own errors."""
    own = {str(status): response for status, response in responses.items()}
    written = {status: body for status, body in own.items() if isinstance(body, Mapping)}
    merged = {**responses_of(listed), **written, "default": own["default"]}
    return dict(sorted(merged.items()))
