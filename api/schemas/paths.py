"""Ids in paths. A path with text that is not an id is 404."""

from typing import Any

from werkzeug.routing import BaseConverter, ValidationError

from api.schemas.fields import ID_PATTERN, read_id


class IdConverter(BaseConverter):
    """Converts `<id:post_id>` in a route: decimal text up to 2^53 in the path, an `int` inside."""

    regex = r"[0-9]{1,16}"

    def to_python(self, value: str) -> int:
        """The id. Raises werkzeug's ValidationError, which becomes a 404."""
        read = read_id(value)
        if read is None:
            raise ValidationError
        return read

    def to_url(self, value: Any) -> str:
        """The id as text."""
        return str(value)


def id_parameter_schema(_: IdConverter) -> dict[str, str]:
    """The schema of an id in a path, for the API document."""
    return {"type": "string", "pattern": f"^{ID_PATTERN}$"}
