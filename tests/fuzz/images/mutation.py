"""Mangles files: bytes, numbers, pieces, names of parts. All choices are drawn from one seed."""

import random
import re
import struct
from collections.abc import Callable, Sequence

from tests.support import images

TOKENS = {
    "image/jpeg": [bytes((0xFF, marker)) for marker in (*range(0xC0, 0xF0), 0xFE, 0x01)],
    "image/png": b"IHDR PLTE IDAT IEND tRNS iCCP gAMA cHRM sRGB sBIT zTXt iTXt tEXt eXIf pHYs acTL "
    b"fcTL fdAT bKGD hIST".split(),
    "image/webp": b"RIFF WEBP VP8  VP8L VP8X ALPH ANIM ANMF ICCP EXIF XMP ".split(b" "),
    "image/gif": [b"GIF87a", b"GIF89a", b"\x21\xf9\x04", b"\x21\xff\x0bNETSCAPE2.0", b"\x2c", b";"],
    "image/heic": b"ftyp meta hdlr pitm iloc iinf infe iprp ipco ipma ispe hvcC colr pixi irot "
    b"imir clap auxC auxl iref dimg thmb cdsc grid iovl iden hvc1 mdat idat mime Exif heic mif1 "
    b"hevc msf1 moov trak av01 avif avc1 j2k1 unci uncC cmpd mski rloc pasp clli mdcv".split(),
}
"""Names of the parts of each format."""
NUMBERS = (0, 1, 2, 7, 8, 15, 16, 31, 32, 64, 127, 128, 255, 256, 1 << 15, (1 << 16) - 1)
LARGE_NUMBERS = (1 << 16, 1 << 20, 1 << 24, (1 << 31) - 1, 1 << 31, (1 << 32) - 8, (1 << 32) - 1)
LONGEST_PIECE = 512

_Change = Callable[[random.Random, bytearray, str, Sequence[bytes]], None]


def mangled(rng: random.Random, data: bytes, declared: str, others: Sequence[bytes]) -> bytes:
    """The data with one to eight changes. `others`: files of the same type, for pieces of them."""
    changed = bytearray(data)
    for _ in range(rng.choice((1, 1, 2, 2, 4, 8))):
        if changed:
            rng.choice(CHANGES)(rng, changed, declared, others)
    if declared == "image/png" and rng.random() < 0.9:
        return images.with_checksums(bytes(changed))
    return bytes(changed)


def _flip(rng: random.Random, data: bytearray, _declared: str, _others: Sequence[bytes]) -> None:
    data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)


def _set(rng: random.Random, data: bytearray, _declared: str, _others: Sequence[bytes]) -> None:
    data[rng.randrange(len(data))] = rng.choice((0, 1, 0x7F, 0x80, 0xFF, rng.randrange(256)))


def _number(rng: random.Random, data: bytearray, _declared: str, _others: Sequence[bytes]) -> None:
    """Overwrite two or four bytes by a number at a bound, in either order of bytes."""
    at = rng.randrange(len(data))
    order = rng.choice("<>")
    if rng.random() < 0.5:
        number = struct.pack(f"{order}H", rng.choice(NUMBERS))
    else:
        number = struct.pack(f"{order}I", rng.choice(NUMBERS + LARGE_NUMBERS))
    data[at : at + len(number)] = number


def _near_name(
    rng: random.Random, data: bytearray, declared: str, _others: Sequence[bytes]
) -> None:
    """Change a number just before or after the name of a part: its length, or its first fields."""
    found = [place for token in TOKENS[declared] for place in _places(data, token)]
    if not found:
        return
    at = max(0, rng.choice(found) + rng.choice((-4, -3, -2, -1, 2, 4, 6, 8, 10, 12, 16, 20)))
    data[at : at + 1] = bytes((rng.choice((0, 1, 2, 8, 0x7F, 0x80, 0xFF, rng.randrange(256))),))


def _rename(rng: random.Random, data: bytearray, declared: str, _others: Sequence[bytes]) -> None:
    """Replace the name of a part by another one, or write a name anywhere."""
    tokens = TOKENS[declared]
    found = [place for token in tokens for place in _places(data, token)]
    at = rng.choice(found) if found and rng.random() < 0.7 else rng.randrange(len(data))
    token = rng.choice(tokens)
    data[at : at + len(token)] = token


def _cut(rng: random.Random, data: bytearray, _declared: str, _others: Sequence[bytes]) -> None:
    at, length = _piece(rng, data)
    del data[at : at + length]


def _repeat(rng: random.Random, data: bytearray, _declared: str, _others: Sequence[bytes]) -> None:
    at, length = _piece(rng, data)
    data[at:at] = data[at : at + length] * rng.choice((1, 1, 2, 50))


def _insert(rng: random.Random, data: bytearray, _declared: str, _others: Sequence[bytes]) -> None:
    at = rng.randrange(len(data))
    data[at:at] = rng.randbytes(rng.randrange(1, 16))


def _splice(rng: random.Random, data: bytearray, _declared: str, others: Sequence[bytes]) -> None:
    """Replace a piece by one of another file."""
    other = rng.choice(others)
    at, length = _piece(rng, data)
    begin, other_length = _piece(rng, other)
    data[at : at + length] = other[begin : begin + other_length]


def _truncate(
    rng: random.Random, data: bytearray, _declared: str, _others: Sequence[bytes]
) -> None:
    del data[rng.randrange(len(data)) :]


CHANGES: tuple[_Change, ...] = (
    *(_flip, _set, _number, _near_name, _near_name, _near_name),
    *(_rename, _cut, _repeat, _insert, _splice, _truncate),
)


def _piece(rng: random.Random, data: bytes | bytearray) -> tuple[int, int]:
    at = rng.randrange(max(1, len(data)))
    return at, rng.choice((1, 2, 4, 8, 12, rng.randrange(1, LONGEST_PIECE)))


def _places(data: bytearray, token: bytes) -> list[int]:
    return [match.start() for match in re.finditer(re.escape(token), data)]
