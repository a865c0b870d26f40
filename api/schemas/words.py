"""Text that users write, in the one form that is stored. Pure.

The fields of api/schemas/fields.py call this module, and nothing else changes users' text.
"""

import itertools
import re
import unicodedata

_LINE_END = re.compile("\r\n|[\r\v\f\u0085\u2028\u2029]")
"""Line ends of Windows, old Macs, Word, mainframes and Unicode."""

_BYTE_ORDER_MARK = "\ufeff"
"""It stands at the beginning of files, and copies of them bring it along. Nothing shows it."""

_POP_EMBEDDING, _POP_ISOLATE = "\u202c", "\u2069"

_ENDS = {
    **dict.fromkeys("\u202a\u202b\u202d\u202e", _POP_EMBEDDING),
    **dict.fromkeys("\u2066\u2067\u2068", _POP_ISOLATE),
}
"""Each character that begins a direction, and the one that ends it."""

_DIRECTION = re.compile("[\u202a-\u202e\u2066-\u2069]")

OVERRIDES = frozenset("\u202d\u202e")
"""They show even Latin letters from right to left."""

_CONTROL_CATEGORIES = frozenset({"Cc", "Cs", "Zl", "Zp"})
"""Unicode categories: control characters, surrogates, line and paragraph separators."""

_UNSEEN_CATEGORIES = _CONTROL_CATEGORIES | {"Cf", "Zs", "Mn", "Mc", "Me"}
"""Categories of which nothing is seen, or only on another character: spaces, marks, formats."""

_UNSEEN = frozenset(
    "\u115f\u1160\u3164\uffa0"  # Hangul fillers
    "\u2800"  # a braille cell without dots
    "\ufffc"  # stands for an attachment that was not copied
    "\U0001d159"  # a note without a head
)
"""Letters and symbols that are empty."""

_UNSEEN_RANGES = (
    (0x2065, 0x2065),
    (0xFDD0, 0xFDEF),
    (0xFFF0, 0xFFF8),
    (0xE0000, 0xE0FFF),
)
"""Code points without a character that Unicode never shows. Others can be newer than our tables."""


MOST_MARKS = 30
"""Marks on one letter, as in Unicode's stream-safe format (UAX #15). No language has so many.

Normalizing takes time as the square of their number: seconds for a body of 64 kB.
"""

MOST_MARKS_OF_NAME = 8
"""Marks on one letter of a name, which stands among others' lines. Hebrew with points and
cantillation has six, a Tibetan stack seven."""

_MARK_CATEGORIES = frozenset({"Mn", "Me"})
"""Categories of marks that stand on their letter, or under it: many of them reach into other lines.
Those of Thai and many vowel signs have the combining class 0. Spacing marks (Mc) stand beside it.
"""


class TooManyMarksError(ValueError):
    """The text has more marks on one letter than are normalized."""


def normalize(text: str, *, most_marks: int = MOST_MARKS) -> str:
    """The text in NFC, with spaces for tabs, one kind of line end, and no space at its own ends.

    In each line every direction is ended and none is ended that has not begun. A second call
    changes nothing. The result shows every character that the text shows. Raises TooManyMarksError.
    """
    text = _LINE_END.sub("\n", text.replace(_BYTE_ORDER_MARK, "")).replace("\t", " ")
    if _DIRECTION.search(text):
        text = "\n".join(map(_end_directions, text.split("\n")))
    _refuse_many_marks(text, most_marks)
    return unicodedata.normalize("NFC", text.strip())


def has_controls(text: str) -> bool:
    """Whether a normalized text has control characters other than line ends."""
    return any(
        character != "\n" and unicodedata.category(character) in _CONTROL_CATEGORIES
        for character in text
    )


def is_visible(text: str) -> bool:
    """Whether something of the text is seen where it stands alone."""
    return any(map(_is_seen, text))


def _refuse_many_marks(text: str, most: int) -> None:
    """Raises TooManyMarksError.

    Decomposed characters are counted, so that it is the same for all forms of a text. Invisible
    format characters between marks separate none of them.
    """
    if text.isascii():
        return
    marks = 0
    for part in itertools.chain.from_iterable(unicodedata.normalize("NFD", one) for one in text):
        if _is_mark(part):
            marks += 1
        elif unicodedata.category(part) != "Cf":
            marks = 0
        if marks > most:
            raise TooManyMarksError


def _is_mark(character: str) -> bool:
    """Whether it stacks on a letter, or is sorted among the marks of one by normalizing."""
    return (
        unicodedata.category(character) in _MARK_CATEGORIES or unicodedata.combining(character) > 0
    )


def _is_seen(character: str) -> bool:
    if unicodedata.category(character) in _UNSEEN_CATEGORIES or character in _UNSEEN:
        return False
    number = ord(character)
    is_no_character = number & 0xFFFE == 0xFFFE  # noqa: PLR2004 - the last two of each plane
    return not is_no_character and not any(low <= number <= high for low, high in _UNSEEN_RANGES)


def _end_directions(line: str) -> str:
    """The line with its directions nested and ended, as Unicode's algorithm reads it (UAX #9).

    The end of an isolate ends the embeddings that began in it. An end of an embedding counts only
    within its isolate. Ends without a beginning are dropped.
    """
    ends: list[str] = []
    isolates = 0
    shown: list[str] = []
    for character in line:
        if end := _ENDS.get(character):
            ends.append(end)
            isolates += end == _POP_ISOLATE
        elif character == _POP_EMBEDDING:
            if ends[-1:] != [_POP_EMBEDDING]:
                continue
            ends.pop()
        elif character == _POP_ISOLATE:
            if not isolates:
                continue
            isolates -= 1
            while ends[-1] != _POP_ISOLATE:
                shown.append(ends.pop())
            ends.pop()
        shown.append(character)
    return "".join(shown + ends[::-1])
