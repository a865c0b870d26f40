"""The kinds of field that several resources have."""

import re
import unicodedata
from datetime import datetime
from typing import Any

from marshmallow import ValidationError, fields, validate

from feed.rendering import rfc3339
from graph.ids import MAX_ID

ID_PATTERN = r"(0|[1-9][0-9]{0,15})"

_ID = re.compile(ID_PATTERN, re.ASCII)

_OVERRIDES = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
"""They turn text around, also what stands beside it."""

_MARKS = frozenset("\u061c\u200e\u200f\ufeff")
"""Unseen and of use in running text, but in a name they only make look-alikes."""


def read_id(text: str) -> int | None:
    """The id that the text spells, None if it spells none."""
    if _ID.fullmatch(text) is None or int(text) > MAX_ID:
        return None
    return int(text)


class Id(fields.String):
    """An id: an integer here, decimal text in JSON."""

    def __init__(self, **kwargs: Any) -> None:
        metadata = {"pattern": f"^{ID_PATTERN}$", "example": "412316860416001"}
        super().__init__(metadata={**metadata, **kwargs.pop("metadata", {})}, **kwargs)

    def _serialize(self, value: Any, attr: str | None, obj: Any, **kwargs: Any) -> str | None:  # noqa: ARG002
        return None if value is None else str(value)

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> Any:
        found = read_id(super()._deserialize(value, attr, data, **kwargs))
        if found is None:
            raise ValidationError("Not an id: decimal text up to 2^53.")
        return found


class Time(fields.String):
    """A moment: RFC 3339 in UTC."""

    def __init__(self, **kwargs: Any) -> None:
        metadata = {"format": "date-time", "example": "2026-11-22T19:53:44.120Z"}
        super().__init__(metadata=metadata, **kwargs)

    def _serialize(self, value: Any, attr: str | None, obj: Any, **kwargs: Any) -> str | None:  # noqa: ARG002
        return rfc3339(value) if isinstance(value, datetime) else None


class Prose(fields.String):
    """Text that people write, with line breaks: in one normal form, and without what misleads."""

    breaks = frozenset("\n")
    refused = _OVERRIDES

    def __init__(self, *, longest: int, shortest: int = 0, **kwargs: Any) -> None:
        super().__init__(validate=validate.Length(shortest, longest), **kwargs)

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> Any:
        text = super()._deserialize(value, attr, data, **kwargs).replace("\r\n", "\n").strip()
        if any(self._misleads(character) for character in text):
            raise ValidationError("Control characters are not taken.")
        return unicodedata.normalize("NFC", text)

    def _misleads(self, character: str) -> bool:
        if character in self.breaks:
            return False
        return character in self.refused or unicodedata.category(character) in {
            "Cc",
            "Cs",
            "Zl",
            "Zp",
        }


class Line(Prose):
    """One line of such text: a name, a place."""

    breaks = frozenset[str]()
    refused = _OVERRIDES | _MARKS


class Password(fields.String):
    """A password, taken as it is: no character of it is changed or refused."""

    def __init__(self, *, shortest: int = 1, longest_bytes: int, **kwargs: Any) -> None:
        super().__init__(
            metadata={"format": "password", "minLength": shortest, "maxLength": longest_bytes},
            **kwargs,
        )
        self._shortest = shortest
        self._longest_bytes = longest_bytes

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> Any:
        text = super()._deserialize(value, attr, data, **kwargs)
        if len(text) < self._shortest:
            raise ValidationError(f"Shorter than {self._shortest} characters.")
        try:
            size = len(text.encode())
        except UnicodeEncodeError:
            raise ValidationError("Not valid Unicode.") from None
        if size > self._longest_bytes:
            raise ValidationError(f"Longer than {self._longest_bytes} bytes.")
        return text
