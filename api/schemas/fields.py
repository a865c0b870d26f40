"""Marshmallow fields that several resources share."""

import re
import time
import unicodedata
from collections.abc import Sequence
from datetime import datetime
from datetime import time as time_of_day
from typing import Any

from marshmallow import ValidationError, fields, validate

from api.schemas import words
from feed.rendering import rfc3339
from graph.ids import CLOCK_TOLERANCE_MS, MAX_ID, new_id

ID_PATTERN = r"(0|[1-9][0-9]{0,15})"
"""The decimal text of an id, without leading zeros."""

_ID = re.compile(ID_PATTERN, re.ASCII)


def read_id(text: str) -> int | None:
    """The id in `text`; None if `text` is not an id."""
    if _ID.fullmatch(text) is None or int(text) > MAX_ID:
        return None
    return int(text)


def require_past(an_id: int) -> None:
    """Raises ValidationError for an id of the future."""
    if an_id > new_id(time.time_ns() // 1_000_000 + CLOCK_TOLERANCE_MS):
        raise ValidationError("Nothing has this id yet.")


class Id(fields.String):
    """An id: an integer in Python, decimal text in JSON."""

    def __init__(self, *, example: str, **kwargs: Any) -> None:
        metadata = {"pattern": f"^{ID_PATTERN}$", "examples": [example]}
        super().__init__(metadata={**metadata, **kwargs.pop("metadata", {})}, **kwargs)

    def _serialize(self, value: Any, attr: str | None, obj: Any, **kwargs: Any) -> str | None:  # noqa: ARG002
        return None if value is None else str(value)

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> Any:
        text = super()._deserialize(value, attr, data, **kwargs)
        if (read := read_id(text)) is not None:
            return read
        if _ID.fullmatch(text):
            raise ValidationError("Larger than any id: at most 2^53.")
        raise ValidationError("Not an id: decimal text up to 2^53.")


class Time(fields.String):
    """A point in time: an aware datetime in Python, RFC 3339 in UTC in JSON."""

    def __init__(self, *, example: str, **kwargs: Any) -> None:
        metadata = {"format": "date-time", "examples": [example]}
        super().__init__(metadata={**metadata, **kwargs.pop("metadata", {})}, **kwargs)

    def _serialize(self, value: Any, attr: str | None, obj: Any, **kwargs: Any) -> str | None:  # noqa: ARG002
        return rfc3339(value) if isinstance(value, datetime) else None


class TimeOfDay(fields.String):
    """A time on a clock: a naive `time` in Python, "HH:MM" in JSON."""

    pattern = "([01][0-9]|2[0-3]):[0-5][0-9]"

    def __init__(self, *, example: str, **kwargs: Any) -> None:
        metadata = {"pattern": f"^{self.pattern}$", "examples": [example]}
        super().__init__(metadata={**metadata, **kwargs.pop("metadata", {})}, **kwargs)

    def _serialize(self, value: Any, attr: str | None, obj: Any, **kwargs: Any) -> str | None:  # noqa: ARG002
        return f"{value:%H:%M}" if isinstance(value, time_of_day) else None

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> Any:
        text = super()._deserialize(value, attr, data, **kwargs)
        if re.fullmatch(self.pattern, text, re.ASCII) is None:
            raise ValidationError('Not a time of day: "HH:MM", 00:00 to 23:59.')
        return time_of_day.fromisoformat(text)


class Flag(fields.Boolean):
    """A JSON boolean. Text and numbers are refused."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> Any:
        if not isinstance(value, bool):
            raise self.make_error("invalid", input=value)
        return super()._deserialize(value, attr, data, **kwargs)


class WholeNumber(fields.Integer):
    """An integer. JSON has one kind of number, so 3.0 is one too; text is none."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(strict=True, **kwargs)

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> Any:
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        return super()._deserialize(value, attr, data, **kwargs)


class Number(fields.Float):
    """A JSON number. Text is refused."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> Any:
        if isinstance(value, str):
            raise self.make_error("invalid", input=value)
        return super()._deserialize(value, attr, data, **kwargs)


class Choice(fields.String):
    """Text from a fixed set. The API document has the set as one schema, which fields refer to.

    A generated client then has one type for it.
    """

    def __init__(
        self,
        *,
        schema_name: str,
        choices: Sequence[str],
        description: str,
        example: str,
        **kwargs: Any,
    ) -> None:
        super().__init__(metadata={"examples": [example]}, **kwargs)
        self.schema_name = schema_name
        self.schema = {"type": "string", "enum": list(choices), "description": description}


class Prose(fields.String):
    """Text that users write, line breaks allowed: in the form of `words.normalize`.

    The limits count the characters of that form.
    """

    most_marks = words.MOST_MARKS

    def __init__(self, *, longest: int, shortest: int = 0, **kwargs: Any) -> None:
        super().__init__(validate=validate.Length(shortest, longest), **kwargs)

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> Any:
        try:
            sent = super()._deserialize(value, attr, data, **kwargs)
            text = words.normalize(sent, most_marks=self.most_marks)
        except words.TooManyMarksError:
            raise ValidationError("Too many marks on one letter.") from None
        if words.has_controls(text):
            raise ValidationError("Control characters are not allowed.")
        return text


class Line(Prose):
    """One line of text that users write, such as a place."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> Any:
        text = super()._deserialize(value, attr, data, **kwargs)
        if "\n" in text:
            raise ValidationError("More than one line.")
        if not words.OVERRIDES.isdisjoint(text):
            raise ValidationError("Characters that reverse letters are not allowed.")
        return text


class Name(Line):
    """The name of a person or place: one line, of which something is visible."""

    most_marks = words.MOST_MARKS_OF_NAME

    def __init__(self, *, longest: int, **kwargs: Any) -> None:
        super().__init__(shortest=1, longest=longest, **kwargs)

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> Any:
        text = super()._deserialize(value, attr, data, **kwargs)
        if text and not words.is_visible(text):
            raise ValidationError("Nothing of it is visible.")
        return text


class Password(fields.String):
    """A password, as it was sent. Its length is that of its NFC, which is what is hashed."""

    def __init__(self, *, shortest: int = 1, longest_bytes: int, **kwargs: Any) -> None:
        super().__init__(
            metadata={
                "format": "password",
                "minLength": shortest,
                "maxLength": longest_bytes,
                "description": f"At most {longest_bytes} bytes in UTF-8.",
                "examples": ["a long password"],
            },
            **kwargs,
        )
        self._shortest = shortest
        self._longest_bytes = longest_bytes

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> Any:
        text = super()._deserialize(value, attr, data, **kwargs)
        try:
            size = len(text.encode())
        except UnicodeEncodeError:
            raise ValidationError("Not valid Unicode.") from None
        if size > self._longest_bytes:
            raise ValidationError(f"Longer than {self._longest_bytes} bytes.")
        if len(unicodedata.normalize("NFC", text)) < self._shortest:
            raise ValidationError(f"Shorter than {self._shortest} characters.")
        return text
