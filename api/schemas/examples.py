"""Examples for the API document: values that several schemas use, and bodies composed of them."""

from typing import Any

from marshmallow import Schema, fields

USER_ID = "150880665600017"
SESSION_ID = "190333757441200"
PHOTO_ID = "190334365722877"
POST_ID = "190334665196424"
NOTIFICATION_ID = "190334718439515"
EXPORT_ID = "190334719733760"
JOINED_AT = "2025-03-02T08:15:00.000Z"
SIGNED_IN_AT = "2025-06-21T19:50:02.500Z"
SESSION_EXPIRES_AT = "2025-07-21T19:50:02.500Z"
SESSION_USED_AT = "2025-06-22T07:12:44.109Z"
NETWORK = "203.0.113.7"
USER_AGENT = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
UNDO_UNTIL = "2025-06-28T19:51:00.000Z"
UPLOAD_EXPIRES_AT = "2025-06-21T20:52:31.006Z"
PHOTO_EXPIRES_AT = "2025-06-22T19:52:40.311Z"
EXPORTED_AT = "2025-06-21T19:54:02.335Z"
EXPORT_EXPIRES_AT = "2025-06-22T19:54:31.870Z"
POSTED_AT = "2025-06-21T19:53:44.120Z"
NOTIFIED_AT = "2025-06-21T19:53:57.119Z"
TOKEN = "pf_AACJOTlIMBEAAK0bZaF_sM1t3cXbq0oGm8dVZ0xk5n2bWq7yqf0H1uR4Tz9Lw6Ejh3Kd8sVb2Qx0"  # noqa: S105
CURSOR = "AAABViDLuO-SSr3yeRrmRDLaToHO90SYFQ"
PUSH_SUBSCRIPTION_ID = "190333801127650"
PUSH_ORIGIN = "https://updates.push.services.mozilla.com"
PUSH_ENDPOINT = f"{PUSH_ORIGIN}/wpush/v2/gAAAAABmZd0"
PUSH_KEY = "BMdTfy7UREILOORJRMZGD6624Y4vEt6I_Wk1HdfiplSQPTk9SJ6zH_zYAhyECrIS-Rg4PQ09z40vPZ0o_PriIb4"
P256DH = "BAo8JY1uq2BatenDHyBMEdM-o_EaBHpGni85yqNaq-HXtZSHS2zH4vbfhRmpt6n1XVpvetY5RIVhrfiQuNaV1wQ"
PUSH_AUTH = "GrIf2mG6vfp3J_Q5tI0kXA"
USERNAME, NAME = "ana", "Ana Lopes"
CAPTION, ALT_TEXT = "Dusk, at last.", "Dusk over the river"
REPORT_TEXT = "The same advertisement, again and again."
BLURHASH = "LEHV6nWB2yk8pyo0adR*.7kCMdnj"


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
            body[field.data_key or name] = values[0]
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
