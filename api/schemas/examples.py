"""Examples for the API document, composed from the `examples` of a schema's fields."""

from typing import Any

from marshmallow import Schema, fields


class MissingExampleError(Exception):
    """A required field has no example: `field` is `Schema.field`."""

    def __init__(self, field: str) -> None:
        super().__init__(field)
        self.field = field


def example_of(schema: Schema) -> dict[str, Any]:
    """A JSON body with every field that has an example; optional fields may have none.

    Raises MissingExampleError.
    """
    body = {}
    for name, field in schema.fields.items():
        values = _examples(field)
        if values:
            body[name] = values[0]
        elif field.required:
            raise MissingExampleError(f"{type(schema).__name__}.{name}")
    return body


def _examples(field: Any) -> list[Any]:
    """The field's own examples, else those that its inner schema or field gives."""
    if "examples" in field.metadata:
        return list(field.metadata["examples"])
    if isinstance(field, fields.Nested):
        return [example_of(field.schema)]
    if isinstance(field, fields.List):
        return [_examples(field.inner)]
    return []
