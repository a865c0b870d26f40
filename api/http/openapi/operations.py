"""Completes the operations of the document: id, security, problems, paging and examples."""

from collections.abc import Callable, Iterator, Mapping, Sequence
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

SHARED_PROBLEMS = {
    problems.TOKEN_IN_QUERY,
    problems.MALFORMED_JSON,
    problems.NOT_SIGNED_IN,
    problems.BODY_TOO_LARGE,
    problems.UNSUPPORTED_MEDIA_TYPE,
    problems.TOO_MANY_REQUESTS,
    *problems.UNAVAILABLE,
}
"""Problems that are described once, for the whole document, and not with each operation."""

PAGING = """\
**Paging**: send `next` as `cursor` to get the next page. A page can have fewer than `limit` items:
only a response without `next` is the end."""


def raises(*errors: type[Exception]) -> Callable[[View], View]:
    """Decorates a view: the document lists these errors. Errors of every such route are added."""

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
        """Store the spec, to add components to it."""
        self._components = spec.components

    def schema_helper(
        self, name: str, definition: dict[str, Any], *, schema: Any = None, **_: Any
    ) -> dict[str, Any] | None:
        """Record the example of a schema, and replace its choices by references.

        Fields that need each other, which a schema names in `together`, are documented so.
        """
        if schema is None:
            return None
        instance = schema() if isinstance(schema, type) else schema
        self._examples[name] = example_of(instance)
        references = {
            field_name: self._reference(field)
            for field_name, field in instance.fields.items()
            if isinstance(field, Choice)
        }
        together = getattr(instance, "together", ())
        needs = {
            field: [other] for one, two in together for field, other in ((one, two), (two, one))
        }
        return {
            "properties": {**definition["properties"], **references},
            **({"dependentRequired": needs} if needs else {}),
        }

    def _reference(self, choice: Choice) -> dict[str, str]:
        """The reference to a choice's schema, which is added to the document the first time."""
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
            operation_problems = list(dict.fromkeys(_problems(path or "", operation, view)))
            operation["operationId"] = operation_id(endpoint.rpartition(".")[2])
            operation["security"] = [{SCHEME: []}] if _needs_token(view) else []
            operation["description"] = _description(operation, operation_problems)
            operation["responses"] = _responses(operation["responses"], operation_problems)
            self._add_examples(operation)

    def _add_examples(self, operation: dict[str, Any]) -> None:
        """Give each JSON body the example of its schema, unless it has its own."""
        bodies = [operation.get("requestBody", {}), *operation["responses"].values()]
        for body in bodies:
            media = body.get("content", {}).get(JSON) if isinstance(body, Mapping) else None
            if media and "$ref" in media["schema"]:
                schema_name = media["schema"]["$ref"].rpartition("/")[2]
                media.setdefault("example", self._examples[schema_name])


def _needs_token(view: Any) -> bool:
    return getattr(view, "login_required", False)


def _problems(path: str, operation: Mapping[str, Any], view: Any) -> Iterator[DocumentedProblem]:
    """The problems of an operation: those that its path, body and query bring, and its own."""
    parameters = operation.get("parameters", ())
    queries = [parameter["name"] for parameter in parameters if parameter["in"] == "query"]
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


def _description(operation: Mapping[str, Any], listed: Sequence[DocumentedProblem]) -> str:
    """The description in the docstring, then paging, then the errors."""
    paged = any(parameter["name"] == "cursor" for parameter in operation.get("parameters", ()))
    own = [problem for problem in listed if problem not in SHARED_PROBLEMS]
    errors = "\n".join(
        f"- {problem.status} `{problem.code}`: {problem.meaning or problem.detail}"
        for problem in sorted(own, key=lambda problem: problem.status)
    )
    parts = [
        operation.get("description", ""),
        PAGING if paged else "",
        f"**Errors**:\n\n{errors}" if errors else "",
    ]
    return "\n\n".join(part for part in parts if part)


def _responses(responses: Mapping[Any, Any], listed: Sequence[DocumentedProblem]) -> dict[str, Any]:
    """The responses by status, `default` last.

    flask-smorest's references to its own errors are left out.
    """
    with_body = {str(key): value for key, value in responses.items() if isinstance(value, Mapping)}
    all_responses = {**responses_of(listed), **with_body, "default": responses["default"]}
    return dict(sorted(all_responses.items()))
