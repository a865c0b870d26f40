"""Endpoints: those of known push services pass, and nothing else does."""

from urllib.parse import urlsplit

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from web_push.endpoints import (
    MAX_LENGTH,
    SERVICES,
    EndpointNotAllowedError,
    address_of,
    origin_of,
    read_endpoint,
    service_of,
)

ALLOWED = {
    "https://updates.push.services.mozilla.com/wpush/v2/gAAAAABm-_x": "mozilla",
    "https://updates.push.services.mozilla.com/wpush/v1/a": "mozilla",
    "https://fcm.googleapis.com/fcm/send/dXy1:APA91bH_-x": "google",
    "https://fcm.googleapis.com/wp/dXy1:APA91bH_-x": "google",
    "https://web.push.apple.com/QGuQyavXutnMH": "apple",
    "https://wns2-par02p.notify.windows.com/w/?token=BQYAAAD%2fa%3d%3d": "microsoft",
}
TRUSTED = ("http://127.0.0.1:9400", "https://push.test")
REFUSED = [
    "",
    "https://",
    "/wpush/v2/x",
    "http://fcm.googleapis.com/fcm/send/x",  # not encrypted
    "ftp://fcm.googleapis.com/x",
    "HTTPS://fcm.googleapis.com/x",
    "https://FCM.googleapis.com/x",
    "https://fcm.googleapis.com",  # no path
    "https://fcm.googleapis.com?x",
    "https://fcm.googleapis.com:443/x",  # a browser leaves the port out
    "https://fcm.googleapis.com:8443/x",
    "https://fcm.googleapis.com:/x",
    "https://fcm.googleapis.com./x",  # a trailing dot
    "https://.fcm.googleapis.com/x",
    "https://user@fcm.googleapis.com/x",
    "https://fcm.googleapis.com@evil.test/x",
    "https://evil.test/fcm.googleapis.com/x",
    "https://evil.test#.push.apple.com/x",
    "https://evil.test?.push.apple.com/x",
    "https://evil.test\\.push.apple.com/x",
    "https://evil.test%2f.push.apple.com/x",
    "https://fcm.googleapis.com.evil.test/x",
    "https://evilfcm.googleapis.com/x",
    "https://storage.googleapis.com/bucket/x",  # Google, but not push
    "https://android.googleapis.com/gcm/send/x",  # shut down in 2019
    "https://push.apple.com/x",
    "https://notify.windows.com/x",
    "https://push.services.mozilla.com/x",
    "https://zzz9.push.services.mozilla.com/x",  # Mozilla has one host for endpoints
    "https://a.updates.push.services.mozilla.com/x",
    "https://a.b.push.apple.com/x",
    "https://evilnotify.windows.com/x",
    "https://xn--wb-cja.push.apple.com/x",  # an IDNA look-alike
    "https://wéb.push.apple.com/x",
    "https://web。push。apple。com/x",
    "https://web.push.apple.com\n/x",
    "https://web.push.apple.com/x\n",
    "https://web.push.apple.com/x\r\nHost: evil.test",
    "https://web.push.apple.com/x y",
    "https://web.push.apple.com/x#fragment",
    "https://web.push.apple.com/\x00",
    "https://-a.push.apple.com/x",
    "https://a_b.push.apple.com/x",
    "https://127.0.0.1/x",
    "https://2130706433/x",
    "https://[::1]/x",
    "https://[::ffff:127.0.0.1]/x",
    "https://0x7f.1/x",
    "http://127.0.0.1:9401/x",
    "http://127.0.0.1:94000/x",
    "http://127.0.0.1:9400",
    "http://127.0.0.1:9400@evil.test/x",
    "http://user@127.0.0.1:9400/x",
    "https://127.0.0.1:9400/x",
    "https://a.push.test/x",
    "https://push.test.evil.test/x",
]

HOST_PARTS = st.sampled_from([
    "fcm", "web", "push", "apple", "com", "googleapis", "notify", "windows", "evil", "xn--a", "@",
    ".", "..", ":", "443", "/", "\\", "%2e", "。", "?", "#", "127.0.0.1", "[::1]", " ", "\n",
])  # fmt: skip
NEARLY_URLS = st.builds(
    "{}{}/{}".format,
    st.sampled_from(["https://", "http://", "https:/", "//", "HTTPS://", ""]),
    st.lists(HOST_PARTS, max_size=12).map("".join),
    st.text(max_size=8),
)


@pytest.mark.parametrize(("url", "service"), ALLOWED.items())
def test_an_endpoint_of_a_known_push_service_is_allowed(url: str, service: str) -> None:
    endpoint = read_endpoint(url)
    assert (endpoint.url, endpoint.service) == (url, service)
    assert endpoint.origin == f"https://{urlsplit(url).netloc}" == origin_of(url)
    assert service in SERVICES
    assert service_of(urlsplit(url).netloc) == service


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "localhost", "push.test", "push.apple.com"])
def test_a_host_of_no_vendor_is_of_the_operator(host: str) -> None:
    assert service_of(host) == "other"


# Security 20
@pytest.mark.parametrize("url", REFUSED)
def test_any_other_endpoint_is_refused(url: str) -> None:
    with pytest.raises(EndpointNotAllowedError):
        read_endpoint(url, TRUSTED)


def test_an_origin_of_the_settings_is_allowed_exactly() -> None:
    for origin in TRUSTED:
        endpoint = read_endpoint(f"{origin}/push/a?b=c", TRUSTED)
        assert (endpoint.origin, endpoint.service) == (origin, "other")
        assert endpoint.is_trusted
        with pytest.raises(EndpointNotAllowedError):
            read_endpoint(f"{origin}/push/a")
    assert not read_endpoint("https://web.push.apple.com/a", TRUSTED).is_trusted


def test_an_endpoint_has_a_longest_length() -> None:
    url = "https://web.push.apple.com/" + "a" * (MAX_LENGTH - 27)
    assert read_endpoint(url).url == url
    with pytest.raises(EndpointNotAllowedError):
        read_endpoint(url + "a")


@given(st.one_of(st.text(), NEARLY_URLS))
@example("https://[")
@example("https://fcm.googleapis.com:99999/")
def test_no_text_raises_another_error_and_what_passes_is_on_the_list(text: str) -> None:
    try:
        endpoint = read_endpoint(text)
    except EndpointNotAllowedError:
        return
    parts = urlsplit(endpoint.url)  # another parser agrees on the host
    host = parts.hostname or ""
    assert parts.scheme == "https"
    assert parts.netloc == host
    assert host in {"fcm.googleapis.com", "updates.push.services.mozilla.com"} or host.split(
        ".", 1
    )[1] in {"push.apple.com", "notify.windows.com"}


@pytest.mark.parametrize(
    ("origin", "address"),
    [
        ("http://127.0.0.1:9400", ("127.0.0.1", 9400)),
        ("https://push.test", ("push.test", 443)),
        ("http://localhost", ("localhost", 80)),
        ("http://[::1]:80", ("::1", 80)),
    ],
)
def test_an_origin_has_a_host_and_a_port(origin: str, address: tuple[str, int]) -> None:
    assert address_of(origin) == address


@pytest.mark.parametrize(
    "text", ["", "push.test", "https://push.test/", "ftp://a", "https://a:0", "https://a:65536"]
)
def test_what_is_no_origin_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="An origin is"):
        address_of(text)
