"""Requests as odd as a client can make them, for properties that hold for all of them."""

import json
from dataclasses import dataclass, field

from hypothesis import strategies as st

SECRET = "S3cretS3cretS3cret"
"""What clients keep secret: drawn into tokens, keys, passwords and cookies."""

METHODS = (
    *("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"),
    *("TRACE", "CONNECT", "PROPFIND", "BREW", "get", "Post", "QUERY"),
)
ID = "376579555688627"
PATHS = (
    *("/v1/accounts", "/v1/sessions", "/v1/me/sessions", f"/v1/me/sessions/{ID}", "/v1/me"),
    *("/v1/me/restore", "/v1/users", f"/v1/users/{ID}", f"/v1/users/{ID}/posts"),
    *(f"/v1/users/{ID}/followers", f"/v1/me/following/{ID}", "/v1/me/following"),
    *("/v1/me/followers", f"/v1/me/blocks/{ID}", "/v1/me/blocks", "/v1/me/photos"),
    *(f"/v1/me/photos/{ID}", f"/v1/me/photos/{ID}/complete", "/v1/me/feed", "/v1/me/feed/unread"),
    *("/v1/me/feed/position", f"/v1/posts/{ID}", "/v1/me/notifications"),
    *("/v1/me/notifications/unread", "/v1/me/notifications/position"),
    *("/v1/me/notification-settings", "/v1/push/key", "/v1/me/push-subscriptions"),
    *(f"/v1/me/push-subscriptions/{ID}", "/v1/me/live/tickets", "/v1/live", "/livez", "/readyz"),
    *("/v1/me/exports", f"/v1/me/exports/{ID}", "/v1/reports", "/v1/me/sessions/current"),
    *(f"/v1/me/followers/{ID}", f"/v1/users/{ID}/following"),
    *("/openapi.json", "/docs", "/hello", "/", "/v1", "*", "/metrics", "/rq", "/.env"),
)

ODD_TEXTS = st.one_of(
    st.sampled_from(
        [
            *("", " ", "0", "1", "-1", "+1", "1.0", "1e3", "0x1", "\u0661", "9" * 17, "9" * 5000),
            *("true", "null", "NaN", "[]", "{}", "*", "%", "%%", "%2", "%zz", "%00", "%ff%fe"),
            *("..", "/", "\\", "a,b", "a;b", 'a"b', "'", "`", "$ne", "{{7*7}}", "a b", "a+b"),
            *("\u00e9", "\u202e", "\u0000", "\ufeff", "\U0001f4f7", "<script>", "=", "&", "#"),
        ]
    ),
    st.text(max_size=20),
)
LATIN = st.text(st.characters(codec="latin-1", exclude_characters="\0\r\n"), max_size=30)


@dataclass(frozen=True, slots=True)
class OddRequest:
    """A request. Its target and headers are sent as they are."""

    method: str
    target: str
    headers: list[tuple[str, str]] = field(default_factory=list)
    body: bytes = b""

    @property
    def path(self) -> str:
        """The target without its query."""
        return self.target.partition("?")[0]


def _spoilt(path: str) -> st.SearchStrategy[str]:
    """The path, and what looks like it."""
    head, _, last = path.rpartition("/")
    return st.one_of(
        st.just(path),
        st.sampled_from(
            [
                path + "/",
                "/" + path,
                path.upper(),
                path.replace("/", "//"),
                path.replace("/", "%2F"),
                path.replace("/", "%2f", 2),
                f"{head}/./{last}",
                f"{head}/x/../{last}",
                f"{head}/%2e%2e/{last}",
                path + "%00",
                path + "%0d%0aX-A: 1",
                path + "%ff",
                path + "%20",
                path + ".json",
                path + ";a=1",
                path + "%3F",
                path.replace("e", "%65"),
                path.replace("e", "%2565"),
                path.replace(ID, "0"),
                path.replace(ID, "9007199254740992"),
                path.replace(ID, "9007199254740993"),
                path.replace(ID, "0" + ID),
                path.replace(ID, "-" + ID),
                path.replace(ID, "%D9%A1"),
                path + "/" + "a" * 3000,
            ]
        ),
        ODD_TEXTS.map(lambda text: f"{head}/{_escape(text)}"),
    )


def _escape(text: str) -> str:
    """The text as clients write it in a target: printable ASCII stays, also a wrong `%`."""
    return "".join(
        char
        if "!" <= char <= "~" and char not in "?#"
        else "".join(f"%{byte:02X}" for byte in char.encode("utf-8", "surrogatepass"))
        for char in text
    )


NAMES = st.sampled_from(
    ["limit", "cursor", "state", "username", "ticket", "last_event_id", "x", "", "limit[]", "Limit"]
)
QUERIES = st.lists(
    st.tuples(NAMES, ODD_TEXTS.map(_escape), st.sampled_from(["=", "", "%3D", "=="])), max_size=4
).map(lambda parts: "&".join(name + sign + value for name, value, sign in parts))
TOKENS_IN_QUERY = st.sampled_from(["token", "auth_token", "access_token", "tok%65n"]).map(
    lambda name: f"{name}={SECRET}"
)

SECRET_HEADERS = st.one_of(
    st.sampled_from(["Bearer ", "bearer  ", "Basic ", "", "Bearer pf_", "Bearer\t"]).map(
        lambda scheme: ("Authorization", scheme + SECRET)
    ),
    LATIN.map(lambda text: ("Authorization", f"Bearer pf_{text}")),
    st.just(("Cookie", f"session={SECRET}")),
    st.sampled_from(["", " ", "\x7f", "\u00e9", "x" * 240]).map(
        lambda text: ("Idempotency-Key", SECRET + text)
    ),
)
ODD_HEADERS = st.one_of(
    *(
        st.tuples(st.just(name), st.one_of(st.sampled_from(values), LATIN))
        for name, values in {
            "Content-Type": ["application/json", "application/json; charset=x", "text/plain", "/"],
            "Content-Encoding": ["gzip", "identity", "br, gzip"],
            "Content-Length": ["-1", "+2", "2, 2", "", "1e3", "\u00b2", "9" * 30],
            "Accept": ["*/*", "text/html", "application/xml;q=1", ";;;", "a/b;q=x"],
            "Accept-Encoding": ["gzip", "*;q=0", "identity;q=0"],
            "Accept-Language": ["x" * 500],
            "Range": ["bytes=0-0", "bytes=-1", "bytes=9-1", "items=1-2", "bytes=" + "0-0," * 99],
            "If-None-Match": ["*", '"a"', 'W/"a"', '"a', "a, b", '"\u00e9"'],
            "If-Match": ["*", '"a"'],
            "If-Modified-Since": ["now", "Thu, 01 Jan 1970 00:00:00 GMT"],
            "Link": ['<x>; rel="next"'],
            "Origin": ["null", "https://a.example", "http://[::1", "\u00e9"],
            "Access-Control-Request-Method": ["POST", "x"],
            "Referer": ["\u00e9", "http://[", "x" * 2000],
            "Host": ["", "a:b", "[::1", "a b", "\u00e9", "evil.example", "a" * 300],
            "X-Forwarded-For": ["127.0.0.1", "unknown", "::1, x", "," * 200, "1" * 300],
            "X-Forwarded-Proto": ["https", "javascript"],
            "X-Forwarded-Host": ["evil.example"],
            "Forwarded": ["for=_x;;"],
            "Last-Event-ID": ["0-0", "-", "9" * 40, "a-b", "1-2-3"],
            "X-HTTP-Method-Override": ["DELETE", "PUT"],
            "X-Original-URL": ["/v1/me"],
            "X-Request-Id": ["x" * 500, "\u00e9", "a b", "00000000000000000000000000000000"],
            "User-Agent": ["", "x" * 1000, "\u00e9"],
            "Expect": ["100-continue", "tea"],
            "Connection": ["close", "upgrade", "X-A"],
            "Upgrade": ["websocket", "h2c"],
            "Transfer-Encoding": ["identity"],
            "X-A": ["x" * 17_000],
        }.items()
    )
)

FIELDS = st.sampled_from(
    [
        *("username", "password", "current_password", "name", "bio", "location", "photo_ids"),
        *("caption", "content_type", "size_bytes", "checksum_sha256", "alt_text", "post_id"),
        *("notification_id", "push", "quiet_hours", "start", "end", "time_zone", "endpoint"),
        *("keys", "p256dh", "auth", "expirationTime", "latitude", "longitude", "__proto__", ""),
        *("user_id", "reason", "text"),
    ]
)
_LEAVES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.integers(-(2**64), 2**64),
    st.floats(allow_nan=False, allow_infinity=False),
    ODD_TEXTS,
    st.sampled_from([SECRET, ID, "2026-01-01T00:00:00Z", "22:30", "image/jpeg", "Europe/Lisbon"]),
)
VALUES = st.recursive(
    _LEAVES,
    lambda below: st.one_of(
        st.lists(below, max_size=3), st.dictionaries(FIELDS, below, max_size=3)
    ),
    max_leaves=8,
)
OBJECTS = st.dictionaries(FIELDS, VALUES, max_size=5)
BROKEN = st.sampled_from(
    [
        b"",
        b"{",
        b"nope",
        b"\xef\xbb\xbf{}",
        b"\xff\xfe{\0}\0",
        b"[" * 50_000,
        b'{"a":' * 9000,
        b'{"name": NaN}',
        b'{"size_bytes": Infinity}',
        b'{"size_bytes": 1e999}',
        b'{"size_bytes": -1e-999}',
        b'{"size_bytes": %s}' % (b"9" * 4000),
        b'{"size_bytes": %s}' % (b"9" * 6000),
        b'{"latitude": 1%s}' % (b"0" * 400),
        b'{"name": "\\ud800"}',
        b'{"\\udfff": 1}',
        b'{"name": "\\ud83d\\ude00"}',
        b'{"name": "\\u0000"}',
        b'{"name": "a\x00b"}',
        b'{"name": "\xff"}',
        b'{"name": "a", "name": "b"}',
        b'{"name": "a",}',
        b"{'name': 'a'}",
        b'{"name": "a"} {"name": "b"}',
        b"// a\n{}",
        b"null",
        b'"name"',
        b"7",
        b"[]",
        b"x" * 66_000,
    ]
)
BODIES = st.one_of(
    st.just(b""),
    OBJECTS.map(lambda body: json.dumps(body).encode()),
    OBJECTS.map(lambda body: json.dumps(body, ensure_ascii=False).encode("utf-8", "surrogatepass")),
    BROKEN,
    st.binary(max_size=200),
)


@st.composite
def odd_requests(draw: st.DrawFn) -> OddRequest:
    """Requests without a valid token."""
    path = draw(st.sampled_from(PATHS).flatmap(_spoilt))
    query = draw(st.one_of(st.just(""), QUERIES, TOKENS_IN_QUERY))
    headers = draw(st.lists(st.one_of(ODD_HEADERS, SECRET_HEADERS), max_size=4))
    body = draw(BODIES)
    if body and draw(st.booleans()):
        headers = [("Content-Type", "application/json"), *headers]
    target = f"{path}?{query}" if query else path
    return OddRequest(draw(st.sampled_from(METHODS)), target, headers, body)
