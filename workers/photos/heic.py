"""The crop of a HEIC (its clean aperture, `clap`), for pictures that libheif refuses to crop. Pure.

libheif 1.23 takes the size after the crop, with a little room, for the largest that the coded
picture may have. So it refuses every crop well below the coded size, as editors of phones make.
"""

import math
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction

Box = tuple[int, int, int, int]
"""Left, top, right, bottom, in pixels, as in Pillow."""
_Place = tuple[int, int]
"""Begin and end of the body of a box."""


@dataclass(frozen=True, slots=True)
class Uncropped:
    """A HEIC that shows the whole coded picture, upright, and the box to crop from it."""

    data: bytes
    size: tuple[int, int]
    box: Box


@dataclass(slots=True)
class _View:
    """What an item shows after a part of its transformations."""

    width: int
    height: int
    box: Box | None = None

    def crop(self, clap: bytes) -> None:
        """Raises ValueError if it leaves nothing."""
        left, right = _aperture(self.width, *struct.unpack_from(">IIxxxxxxxxiI", clap))
        top, bottom = _aperture(self.height, *struct.unpack_from(">IIxxxxxxxxiI", clap, 8))
        if left >= right or top >= bottom:
            raise ValueError
        self.box = (left, top, right, bottom)

    def turn(self) -> None:
        """Turn by 90 degrees, anti-clockwise."""
        if self.box:
            left, top, right, bottom = self.box
            self.box = (top, self.width - right, bottom, self.width - left)
        self.width, self.height = self.height, self.width

    def mirror(self, *, left_and_right: bool) -> None:
        if not self.box:
            return
        left, top, right, bottom = self.box
        if left_and_right:
            self.box = (self.width - right, top, self.width - left, bottom)
        else:
            self.box = (left, self.height - bottom, right, self.height - top)


@dataclass(slots=True)
class _Properties:
    """The properties of a file: name and place of each body, and the numbers that each item has."""

    boxes: list[tuple[bytes, int, int]] = field(default_factory=list)
    by_item: dict[int, list[int]] = field(default_factory=dict)

    def of(self, item: int) -> dict[bytes, _Place]:
        """The item's properties by name, in the order in which they transform it.

        Raises LookupError. A property that comes twice counts once, at its first place.
        """
        own = [self.boxes[number - 1] for number in self.by_item[item] if number]
        return {name: (start, end) for name, start, end in own}


def uncropped(data: bytes) -> Uncropped | None:
    """The file with each crop widened to the whole picture; None without a crop that is understood.

    The box is that of the primary item, after its turns and mirrors.
    """
    try:
        return _uncropped(data)
    except (ValueError, LookupError, ZeroDivisionError, struct.error):
        return None


def _uncropped(data: bytes) -> Uncropped:
    primary, properties = _read(data)
    widened = bytearray(data)
    for item in properties.by_item.keys() - {primary}:  # an alpha plane has a crop of its own
        if properties.of(item).keys() >= {b"clap", b"ispe"}:
            _widen(widened, data, properties.of(item))
    view = _widen(widened, data, properties.of(primary))
    if view.box is None:
        raise ValueError
    return Uncropped(bytes(widened), (view.width, view.height), view.box)


def _widen(widened: bytearray, data: bytes, properties: dict[bytes, _Place]) -> _View:
    """What the item shows, its crop noted; in `widened` the crop has the size of the picture."""
    view = _View(*struct.unpack_from(">II", data, properties[b"ispe"][0] + 4))
    for name, (start, end) in properties.items():
        if name == b"clap":
            view.crop(data[start:end])
            whole = struct.pack(">8I", view.width, 1, view.height, 1, 0, 1, 0, 1)
            widened[start : start + len(whole)] = whole
        elif name == b"irot":
            for _ in range(data[start] & 3):
                view.turn()
        elif name == b"imir":
            view.mirror(left_and_right=bool(data[start] & 1))
    return view


def _aperture(
    length: int, size: int, size_divisor: int, offset: int, offset_divisor: int
) -> tuple[int, int]:
    """Begin and end of a crop along one side. Its centre is that of the picture plus the offset."""
    wanted = Fraction(size, size_divisor)
    begin = math.floor(
        Fraction(length - 1, 2) + Fraction(offset, offset_divisor) - (wanted - 1) / 2
    )
    end = math.floor(begin + wanted)
    return max(begin, 0), min(end, length)


def _read(data: bytes) -> tuple[int, _Properties]:
    """The number of the primary item, and the properties.

    Raises LookupError, ValueError, struct.error.
    """
    in_meta = {name: (start, end) for name, start, end in _boxes(data, *_meta(data))}
    properties = _Properties()
    for name, start, end in _boxes(data, *in_meta[b"iprp"]):
        if name == b"ipco":
            properties.boxes = list(_boxes(data, start, end))
        if name == b"ipma":
            properties.by_item |= _associations(data, start)
    start, _ = in_meta[b"pitm"]
    [primary] = struct.unpack_from(">I" if data[start] else ">H", data, start + 4)
    return primary, properties


def _meta(data: bytes) -> _Place:
    """The place of the boxes in `meta`. What follows it may be no box. Raises LookupError."""
    for name, start, end in _boxes(data, 0, len(data)):
        if name == b"meta":
            return start + 4, end
    raise LookupError


def _associations(data: bytes, at: int) -> dict[int, list[int]]:
    """Item → the numbers of its properties, in the order in which they transform it."""
    is_long, has_long_numbers = data[at] > 0, data[at + 3] & 1
    [count] = struct.unpack_from(">I", data, at + 4)
    at += 8
    found: dict[int, list[int]] = {}
    for _ in range(count):
        item, many = struct.unpack_from(">IB" if is_long else ">HB", data, at)
        at += 5 if is_long else 3
        if has_long_numbers:
            found[item] = [n & 0x7FFF for n in struct.unpack_from(f">{many}H", data, at)]
        else:
            found[item] = [number & 0x7F for number in data[at : at + many]]
        at += many * (2 if has_long_numbers else 1)
    return found


def _boxes(data: bytes, at: int, end: int) -> Iterator[tuple[bytes, int, int]]:
    """Name, begin and end of the body of each box. Raises ValueError for a box that is too long."""
    while at + 8 <= end:
        size, name = struct.unpack_from(">I4s", data, at)
        begin = at + 8
        if size == 1:
            [size] = struct.unpack_from(">Q", data, begin)
            begin += 8
        at += size or end - at
        if not begin <= at <= end:
            raise ValueError
        yield name, begin, at
