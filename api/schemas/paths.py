"""Ids in paths: what is no id is not found."""

from typing import Any

from werkzeug.routing import BaseConverter, ValidationError

from api.schemas.fields import ID_PATTERN, read_id


class IdConverter(BaseConverter):
    """`<id:post_id>`: decimal text up to 2^53, an integer here."""

    regex = r"[0-9]{1,16}"

    def to_python(self, value: str) -> int:
        """The id. Raises werkzeug's ValidationError, which is a 404."""
        found = read_id(value)
        if found is None:
            raise ValidationError
        return found

    def to_url(self, value: Any) -> str:
        """The id as text."""
        return str(value)


def documented(_: IdConverter) -> dict[str, str]:
    """The schema of such a parameter in the API document."""
    return {"type": "string", "pattern": f"^{ID_PATTERN}$"}
