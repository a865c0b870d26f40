"""`python -m api check-production`: which settings and answers are not ready for the internet.

It reads the environment of an API process and, with a URL, asks the edge as a stranger would. It
changes nothing.
"""

import ipaddress
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

import requests

SECRET_LENGTH = 24
"""Characters of a password or a secret. `make up` draws longer ones."""
DIFFERENT_CHARACTERS = 8
SECRETS = (
    "CURSOR_SECRET",
    "TOKEN_KEYS",
    "ADMIN_PASSWORD",
    "NEO4J_PASSWORD",
    "AWS_SECRET_ACCESS_KEY",
)
STORE_URLS = ("NEO4J_URI", "QUEUE_REDIS_URL", "CACHE_REDIS_URL", "S3_ENDPOINT_URL")
TLS_SCHEMES = {"https", "rediss", "bolt+s", "neo4j+s"}
ORIGIN_LISTS = ("CORS_ORIGINS", "S3_CORS_ORIGINS")
CLOSED_PATHS = ("/readyz", "/docs", "/openapi.json")
"""What the edge keeps to itself: it is for operators and developers."""
REFUSALS = {401, 403, 404}
HSTS_SECONDS = 180 * 86_400
SECONDS = 10.0
"""Time-out of each request."""

_DEFAULTS = {"LIMITS_SCALE": "1", "TRUSTED_PROXIES": "0", "LOG_LEVEL": "info"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that was looked at. `problem` says what is not so and what to do; empty: all is."""

    subject: str
    problem: str = ""

    def __str__(self) -> str:
        """A line of the report."""
        return (
            f"NOT SO  {self.subject}: {self.problem}" if self.problem else f"ok      {self.subject}"
        )


def check_production(env: Mapping[str, str], url: str = "", *, http_url: str = "") -> list[Finding]:
    """What the environment shows and, with the API's public URL, what the edge answers.

    `http_url` is where HTTP is redirected, by default the same host at port 80.
    """
    env = _DEFAULTS | dict(env)
    findings = list(_settings(env))
    if url:
        findings += _edge(url.rstrip("/"), http_url or f"http://{urlsplit(url).hostname}")
        findings += _media(env.get("MEDIA_BASE_URL", ""), url)
    else:
        findings.append(Finding(subject="the edge", problem="not looked at: give --url https://…"))
    return findings


def _settings(env: Mapping[str, str]) -> Iterator[Finding]:
    yield _finding(
        "LIMITS_SCALE is 1",
        "" if _number(env["LIMITS_SCALE"]) == 1 else f"it is {env['LIMITS_SCALE']}: unset it",
    )
    yield _finding(
        "TRUSTED_PROXIES counts the proxies before the API",
        ""
        if _number(env["TRUSTED_PROXIES"]) > 0
        else f"it is {env['TRUSTED_PROXIES']}, so all clients share the proxy's address: set it",
    )
    yield _finding(
        "LOG_LEVEL is not debug",
        "it is debug: unset it" if env["LOG_LEVEL"].lower() == "debug" else "",
    )
    yield _finding(
        "PUSH_ORIGINS names no server of a test",
        "it is set, so push messages may go to addresses that are not public: unset it"
        if env.get("PUSH_ORIGINS")
        else "",
    )
    for name in SECRETS:
        if name in env:  # each process has its own
            yield _finding(f"{name} cannot be guessed", _secret_problem(env[name]))
    for name in STORE_URLS:
        yield _finding(f"{name} is encrypted, or on this host", _store_problem(env.get(name)))
    for name in ORIGIN_LISTS:
        plain = [one for one in env.get(name, "").split(",") if one.startswith("http://")]
        yield _finding(
            f"{name} has no origin without TLS",
            f"remove {', '.join(plain)}" if plain else "",
        )


def _finding(subject: str, problem: str) -> Finding:
    return Finding(subject=subject, problem=problem)


def _number(text: str) -> float:
    """The number; -1 for a text that is none, which no setting takes."""
    try:
        return float(text)
    except ValueError:
        return -1


def _secret_problem(secret: str) -> str:
    if len(secret) < SECRET_LENGTH:
        return f"it has {len(secret)} characters: draw one of {SECRET_LENGTH} or more"
    if len(set(secret)) < DIFFERENT_CHARACTERS:
        return "it repeats a few characters: draw a random one"
    return ""


def _store_problem(url: str | None) -> str:
    if not url:
        return "it is not set"
    parts = urlsplit(url)
    if parts.scheme in TLS_SCHEMES or _is_loopback(parts.hostname or ""):
        return ""
    return f"{parts.scheme}:// to another host: use one of {', '.join(sorted(TLS_SCHEMES))}"


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _edge(url: str, http_url: str) -> Iterator[Finding]:
    """What a stranger sees of the API's public URL."""
    if urlsplit(url).scheme != "https":
        yield _finding("the API has TLS", f"{url} does not begin with https://")
        return
    answer, error = _get(f"{url}/livez")
    yield _finding("the API answers with a valid certificate", error)
    if answer is None:
        return
    yield _finding("HSTS for half a year", _hsts_problem(answer))
    plain, error = _get(f"{http_url.rstrip('/')}/livez")
    yield _finding("HTTP redirects to HTTPS", error or _redirect_problem(plain))
    for path in CLOSED_PATHS:
        answer, error = _get(url + path)
        yield _finding(
            f"{path} is closed",
            error or _open_problem(answer),
        )


def _media(media_url: str, url: str) -> Iterator[Finding]:
    """What a stranger sees of the renditions' public URL."""
    parts, api = urlsplit(media_url), urlsplit(url)
    yield _finding(
        "MEDIA_BASE_URL has TLS and an origin of its own",
        ""
        if parts.scheme == "https" and parts.netloc != api.netloc
        else f"it is {media_url or 'not set'}: use https:// and another host than the API's",
    )
    if parts.scheme != "https":
        return
    answer, error = _get(f"{media_url.rstrip('/')}/media/check-production/none.jpg")
    sniffed = answer is not None and answer.headers.get("X-Content-Type-Options") != "nosniff"
    yield _finding("renditions have nosniff", error or ("add the header" if sniffed else ""))
    answer, error = _get(f"{media_url.rstrip('/')}/?list-type=2")
    yield _finding("nobody lists the bucket", error or _open_problem(answer))


def _hsts_problem(answer: requests.Response) -> str:
    header = answer.headers.get("Strict-Transport-Security", "")
    for part in header.lower().replace(" ", "").split(";"):
        name, _, value = part.partition("=")
        if name == "max-age" and value.strip('"').isdigit():
            seconds = int(value.strip('"'))
            return "" if seconds >= HSTS_SECONDS else f"max-age is {seconds}: raise it"
    return "the header Strict-Transport-Security is missing: add it"


def _redirect_problem(answer: requests.Response | None) -> str:
    if answer is None:
        return "it answers nothing"
    if answer.is_permanent_redirect and answer.headers["Location"].startswith("https://"):
        return ""
    return f"it answers {answer.status_code}: answer 308 to https://"


def _open_problem(answer: requests.Response | None) -> str:
    """Why something counts as open: only a refusal shows that it is closed."""
    if answer is None or answer.status_code in REFUSALS:
        return ""
    return f"it answers {answer.status_code}: close it"


def _get(url: str) -> tuple[requests.Response | None, str]:
    """The answer without a redirect followed, and why there is none."""
    try:
        return requests.get(url, timeout=SECONDS, allow_redirects=False), ""
    except requests.RequestException as error:
        return None, f"{url}: {type(error).__name__}"
