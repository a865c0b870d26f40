"""Security events: who signed in, who failed, who was refused. A log line and a counter each.

Names are stable: operators search for them. A line names an account by its id and never has a
secret, nor a username that was sent: people type passwords into the wrong field.
"""

import structlog

from observing.metrics import SECURITY_EVENTS

log = structlog.get_logger()

EVENTS = (
    "signed-in",
    "sign-in-failed",
    "sign-in-refused",
    "sign-in-suspended",
    "signed-up",
    "sign-up-refused",
    "signed-out",
    "session-revoked",
    "password-changed",
    "password-change-failed",
    "password-change-refused",
    "account-left",
    "account-restored",
    "account-suspended",
    "account-unsuspended",
    "account-deletion-begun",
    "post-hidden",
    "post-shown",
    "report-closed",
    "export-asked",
    "admin-refused",
    "event-requeued",
)
"""All names. `…-failed`: the secret was wrong; `…-refused`: too many have failed before.
`sign-in-suspended`: the secret was right."""

WARNINGS = frozenset(name for name in EVENTS if name.endswith(("-failed", "-refused")))


def record(event: str, **facts: object) -> None:
    """Log and count the event. The log adds the request's id where there is a request."""
    SECURITY_EVENTS.labels(event=event).inc()
    write = log.warning if event in WARNINGS else log.info
    write(event, security=True, **facts)
