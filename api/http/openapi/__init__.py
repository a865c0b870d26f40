"""The OpenAPI document, generated from the routes, their schemas and the table of errors.

A route gives its docstring (summary and description) and its schemas, with `raises` its errors, and
with `takes` a header that it reads. The rest is derived: the operation's id from the view's name,
its security from `login_required`, its examples from the schemas.
"""

from api.http.openapi.document import add_to
from api.http.openapi.operations import raises, takes

__all__ = ["add_to", "raises", "takes"]
