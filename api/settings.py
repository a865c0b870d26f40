"""The settings of the API."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from environs import Env, ValidationError, validate

from web_push.settings import WebPushSettings

DEFAULT_SESSION_DAYS = 30
"""Days until a session expires."""
DEFAULT_UPLOAD_PHOTOS_A_DAY = 1_000
DEFAULT_UPLOAD_BYTES_A_DAY = 5_000_000_000
"""Of a user: both are far above what people upload, and bound what one account can cost."""

_ORIGIN = re.compile(r"https?://[a-z0-9.-]+(?::\d{1,5})?|https?://\[[0-9a-f:.]+\](?::\d{1,5})?")


def _check_origins(origins: Sequence[str]) -> None:
    """Raise ValidationError for a text that no browser sends as `Origin`."""
    for origin in origins:
        if not _ORIGIN.fullmatch(origin):
            raise ValidationError(
                f"{origin!r} is no origin: write scheme, host and port alone, in lower case, as in"
                " https://app.example.org"
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiSettings:
    """The settings of the API. Each store has its own settings class."""

    cursor_secret: str = field(repr=False)
    session_days: int = DEFAULT_SESSION_DAYS
    limits_scale: float = 1.0
    """Multiplies every quota: tests and the demo send the requests of many users."""
    graph_seconds: float = 10.0
    """Seconds a minute that a user's pages may cost the graph; `limits_scale` multiplies it."""
    upload_photos_a_day: int = DEFAULT_UPLOAD_PHOTOS_A_DAY
    """New photos of a user in 24 hours."""
    upload_bytes_a_day: int = DEFAULT_UPLOAD_BYTES_A_DAY
    """Their declared bytes together."""
    trusted_proxies: int = 0
    """The number of our proxies before the API, whose X-Forwarded-For entries are trusted."""
    feed_copy_bytes: int = 64_000_000
    """The most bytes of bodies and sessions that one process keeps in memory; 0: none."""
    feed_page_bytes: int = 32_000_000
    """The most bytes of finished pages that one process keeps; 0: none."""
    web_push: WebPushSettings = field(default_factory=WebPushSettings)
    cors_origins: tuple[str, ...] = ()
    """Origins of web pages elsewhere that may call the API."""
    live_streams: int = 2_000
    """The most live streams that one process has open."""

    @classmethod
    def from_env(cls, env: Env) -> "ApiSettings":
        """The settings in the environment. `env.seal()` raises all errors together."""
        return cls(
            cursor_secret=env.str("CURSOR_SECRET", validate=validate.Length(min=16)),
            session_days=env.int(
                "SESSION_DAYS", DEFAULT_SESSION_DAYS, validate=validate.Range(1, 365)
            ),
            limits_scale=env.float("LIMITS_SCALE", 1.0, validate=validate.Range(min=0.001)),
            graph_seconds=env.float("GRAPH_SECONDS", 10.0, validate=validate.Range(min=0.1)),
            upload_photos_a_day=env.int(
                "UPLOAD_PHOTOS_A_DAY", DEFAULT_UPLOAD_PHOTOS_A_DAY, validate=validate.Range(1)
            ),
            upload_bytes_a_day=env.int(
                "UPLOAD_BYTES_A_DAY", DEFAULT_UPLOAD_BYTES_A_DAY, validate=validate.Range(1)
            ),
            trusted_proxies=env.int("TRUSTED_PROXIES", 0, validate=validate.Range(0, 10)),
            feed_copy_bytes=env.int("FEED_COPY_BYTES", 64_000_000, validate=validate.Range(min=0)),
            feed_page_bytes=env.int("FEED_PAGE_BYTES", 32_000_000, validate=validate.Range(min=0)),
            web_push=WebPushSettings.from_env(env),
            cors_origins=tuple(env.list("CORS_ORIGINS", [], validate=_check_origins) or ()),
            live_streams=env.int("LIVE_STREAMS", 2_000, validate=validate.Range(min=0)),
        )
