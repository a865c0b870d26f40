"""HEIC files with crops, turns and mirrors, made of those in tests/support/pictures/."""

import struct
from dataclasses import dataclass

from tests.support.images import PICTURES, heic

_ASSOCIATIONS = bytes.fromhex("058102030485")
"""Of `turned.heic`: five properties, the fifth its turn. A property above 0x80 is essential."""


@dataclass(frozen=True, slots=True)
class Crop:
    """A size, and the distance of its centre from that of the picture, in half pixels."""

    width: int
    height: int
    right: int = 0
    down: int = 0

    def box(self, divisor: int = 1) -> bytes:
        sizes = (self.width * divisor, divisor, self.height * divisor, divisor)
        return struct.pack(">I4s8i", 40, b"clap", *sizes, self.right, 2, self.down, 2)


def turn(times: int) -> bytes:
    """A turn by 90 degrees, anti-clockwise, so many times."""
    return struct.pack(">I4sB", 9, b"irot", times)


def mirror(axis: int) -> bytes:
    return struct.pack(">I4sB", 9, b"imir", axis)


def transformed(*properties: bytes) -> bytes:
    """The picture of `turned.heic`, of 64 by 96 coded pixels, with these transformations alone."""
    data = heic()
    numbers = bytes(0x80 | 6 + place for place in range(len(properties)))
    associations = bytes([4 + len(numbers)]) + _ASSOCIATIONS[1:5] + numbers
    added, longer = len(b"".join(properties)), len(associations) - len(_ASSOCIATIONS)
    end_of_properties = data.index(b"ipma") - 4
    data = data[:end_of_properties] + b"".join(properties) + data[end_of_properties:]
    at = data.index(_ASSOCIATIONS)
    data = data[:at] + associations + data[at + len(_ASSOCIATIONS) :]
    for name, growth in (
        (b"ipco", added),
        (b"ipma", longer),
        (b"iprp", added + longer),
        (b"meta", added + longer),
    ):
        data = _grown(data, name, growth)
    return _with_later_items(data, added + longer)


def large(crop: Crop) -> bytes:
    """40 coded megapixels with this crop: blue to the left of and below (3000, 3000), else red."""
    data = (PICTURES / "forty_megapixels.heic").read_bytes()
    at = data.index(b"clap") - 4
    return data[:at] + crop.box() + data[at + 40 :]


def _grown(data: bytes, name: bytes, growth: int) -> bytes:
    at = data.index(name) - 4
    size = int.from_bytes(data[at : at + 4]) + growth
    return data[:at] + size.to_bytes(4) + data[at + 4 :]


def _with_later_items(data: bytes, growth: int) -> bytes:
    """The file with the places of its items moved, as more bytes come before them."""
    at = data.index(b"iloc") + 10
    items = int.from_bytes(data[at : at + 2])
    moved = bytearray(data)
    for item in range(items):
        place = at + 2 + 18 * item + 10
        struct.pack_into(">I", moved, place, int.from_bytes(data[place : place + 4]) + growth)
    return bytes(moved)
