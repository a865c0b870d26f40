"""Bodies about reports."""

from typing import Any

from marshmallow import Schema, ValidationError, post_load, validate, validates_schema

from api.schemas import examples
from api.schemas.fields import Choice, Id, Prose
from graph.reports import REASONS

LONGEST_TEXT = 1_000
"""Characters."""


class NewReport(Schema):
    """A report of a post, or of a user."""

    post_id = Id(
        example=examples.POST_ID,
        metadata={"description": "The reported post. Exactly one of `post_id` and `user_id`."},
    )
    user_id = Id(
        example=examples.USER_ID,
        metadata={
            "description": "The reported user. Exactly one of `post_id` and `user_id`.",
            "examples": [],
        },
    )
    reason = Choice(
        required=True,
        schema_name="ReportReason",
        choices=REASONS,
        description="Why it is reported. `other` should have a `text`.",
        example="spam",
        validate=validate.OneOf(REASONS),
    )
    text = Prose(
        longest=LONGEST_TEXT,
        load_default="",
        metadata={"description": "For the operators.", "examples": [examples.REPORT_TEXT]},
    )

    @validates_schema
    def require_one_subject(self, data: dict[str, Any], **_: Any) -> None:
        """Raises ValidationError for none of the two, or both."""
        if ("post_id" in data) == ("user_id" in data):
            raise ValidationError("Give exactly one of post_id and user_id.", "post_id")

    @post_load
    def subject(self, data: dict[str, Any], **_: Any) -> dict[str, Any]:
        """The report with its subject, `post` or `user`, and the subject's id."""
        subject = "post" if "post_id" in data else "user"
        subject_id = data.pop(f"{subject}_id")
        return {**data, "subject": subject, "subject_id": subject_id}
