"""The settings of the API."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from environs import Env, ValidationError, validate

from web_push.settings import WebPushSettings

SHORTEST_TOKEN_KEY = 24
"""Characters: 144 bits of base64url, as the local stack draws them."""
MOST_TOKEN_KEYS = 4
"""A forged token costs a MAC by each."""

DEFAULT_SESSION_DAYS = 30
"""Days until a session expires, however much it is used."""
DEFAULT_SESSION_IDLE_DAYS = 14
"""Days without a use after which a session ends: shorter than the above, or it would end none."""
DEFAULT_UPLOAD_PHOTOS_A_DAY = 1_000
DEFAULT_UPLOAD_BYTES_A_DAY = 5_000_000_000
"""Of a user: both are far above what people upload, and bound what one account can cost."""

DEFAULT_EXPORTS_A_DAY = 3
"""Of a user: each reads all photos of theirs."""

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
    token_keys: tuple[str, ...] = field(repr=False)
    """The keys of tokens: the first signs, all of them verify."""
    old_tokens_until: datetime | None = None
    """Until when tokens of older versions are accepted, which have no MAC; None: never."""
    session_days: int = DEFAULT_SESSION_DAYS
    session_idle_days: int = DEFAULT_SESSION_IDLE_DAYS
    limits_scale: float = 1.0
    """Multiplies every quota: tests and the demo send the requests of many users."""
    graph_seconds: float = 10.0
    """Seconds a minute that a user's pages may cost the graph; `limits_scale` multiplies it."""
    upload_photos_a_day: int = DEFAULT_UPLOAD_PHOTOS_A_DAY
    """New photos of a user in 24 hours."""
    upload_bytes_a_day: int = DEFAULT_UPLOAD_BYTES_A_DAY
    """Their declared bytes together."""
    exports_a_day: int = DEFAULT_EXPORTS_A_DAY
    """Exports that a user may ask for in 24 hours."""
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
            token_keys=split_keys(env.str("TOKEN_KEYS", validate=_require_keys) or ""),
            old_tokens_until=_read_time(env.str("OLD_TOKENS_UNTIL", "", validate=_require_time)),
            session_days=env.int(
                "SESSION_DAYS", DEFAULT_SESSION_DAYS, validate=validate.Range(1, 365)
            ),
            session_idle_days=env.int(
                "SESSION_IDLE_DAYS", DEFAULT_SESSION_IDLE_DAYS, validate=validate.Range(1, 365)
            ),
            limits_scale=env.float("LIMITS_SCALE", 1.0, validate=validate.Range(min=0.001)),
            graph_seconds=env.float("GRAPH_SECONDS", 10.0, validate=validate.Range(min=0.1)),
            upload_photos_a_day=env.int(
                "UPLOAD_PHOTOS_A_DAY", DEFAULT_UPLOAD_PHOTOS_A_DAY, validate=validate.Range(1)
            ),
            upload_bytes_a_day=env.int(
                "UPLOAD_BYTES_A_DAY", DEFAULT_UPLOAD_BYTES_A_DAY, validate=validate.Range(1)
            ),
            exports_a_day=env.int(
                "EXPORTS_A_DAY", DEFAULT_EXPORTS_A_DAY, validate=validate.Range(1, 20)
            ),
            trusted_proxies=env.int("TRUSTED_PROXIES", 0, validate=validate.Range(0, 10)),
            feed_copy_bytes=env.int("FEED_COPY_BYTES", 64_000_000, validate=validate.Range(min=0)),
            feed_page_bytes=env.int("FEED_PAGE_BYTES", 32_000_000, validate=validate.Range(min=0)),
            web_push=WebPushSettings.from_env(env),
            cors_origins=tuple(env.list("CORS_ORIGINS", [], validate=_check_origins) or ()),
            live_streams=env.int("LIVE_STREAMS", 2_000, validate=validate.Range(min=0)),
        )


def split_keys(text: str) -> tuple[str, ...]:
    """The keys in a value of TOKEN_KEYS."""
    return tuple(key.strip() for key in text.split(",") if key.strip())


def _require_keys(text: str) -> None:
    keys = split_keys(text)
    if not 1 <= len(keys) <= MOST_TOKEN_KEYS or min(map(len, keys)) < SHORTEST_TOKEN_KEY:
        raise ValidationError(
            f"Not 1 to {MOST_TOKEN_KEYS} keys of at least {SHORTEST_TOKEN_KEY} characters, "
            "separated by commas, the newest first."
        )


def _require_time(text: str) -> None:
    try:
        _read_time(text)
    except ValueError:
        raise ValidationError("Not a time as 2026-12-31T00:00:00Z.") from None


def _read_time(text: str | None) -> datetime | None:
    """The time in a text of ISO 8601, of UTC if it names no zone; None for none."""
    if not text:
        return None
    time = datetime.fromisoformat(text)
    return time if time.tzinfo else time.replace(tzinfo=UTC)
