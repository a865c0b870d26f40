"""Weak passwords: refused at sign-up and at a password change, never at sign-in."""

import re
import unicodedata
from collections.abc import Iterator

from zxcvbn import zxcvbn
from zxcvbn.frequency_lists import FREQUENCY_LISTS

from api.services.errors import TooBusyError, WeakPasswordError
from bounds.turns import Turns

LEAST_SCORE = 2
"""zxcvbn's score of 0 to 4: below 2 a password is found within a million guesses."""

MOST_EXAMINED = 40
"""Characters that zxcvbn gets at a time, as its time grows with their square: up to 70 ms for 40.
Of a longer password the first and the last ones are examined, and one strong part suffices."""

MOST_SIGNS = 3
"""Different signs of SIGNS that zxcvbn gets. It tries every combination of what they can stand for:
40 characters with all of them take it a second, and 72 take it four."""
SIGNS = frozenset("@({[<!|$+%")
"""Signs that zxcvbn takes for letters: @ for a, for example. Those beyond MOST_SIGNS become `~`,
which stands for no letter."""

SHORTEST_PART = 3
"""Characters of a part of a username that a password must not be made of."""

SERVICE = "photofeed"

COMMON = frozenset(FREQUENCY_LISTS["passwords"])
"""The 30,000 most common passwords, in lower case."""

_COMMON = "This is one of the most common passwords."
_OF_USERNAME = "This is made of the username."
_GUESSABLE = "This is easily guessed."
_ADVICE = "Use several words that do not belong together, or a password manager."

_turns = Turns(1, wait_seconds=0.3, busy_seconds=1.0, busy_line=1)
"""One call of zxcvbn at a time: it keeps the words of the user in a global variable, and holds up
other threads. After a wait in vain comes TooBusyError."""


def require_strong(password: str, username: str) -> None:
    """Return if the password is not easily guessed for this user.

    Raises WeakPasswordError, which says what is wrong and what to do, and TooBusyError.
    """
    if reason := _weakness(_plain(password), _plain(username)):
        raise WeakPasswordError(f"{reason} {_ADVICE}")


def _weakness(password: str, username: str) -> str:
    """Why the password is weak; empty if it is not. Both are plain."""
    if password in COMMON:
        return _COMMON
    parts = list(_parts_of(username))
    if _is_made_of(password, parts):
        return _OF_USERNAME
    if not any(_score(text, parts) >= LEAST_SCORE for text in _examined(password)):
        return _GUESSABLE
    return ""


def _plain(text: str) -> str:
    """The text without what makes no guess harder: width of letters, case."""
    return unicodedata.normalize("NFKC", text).casefold()


def _parts_of(username: str) -> Iterator[str]:
    """The username, and its parts of letters; each also backwards."""
    letters = re.split(r"[^a-z]+", username)
    whole = re.sub(r"[^a-z0-9]+", "", username)
    for part in dict.fromkeys((username, whole, "".join(letters), *letters)):
        if len(part) >= SHORTEST_PART:
            yield part
            yield part[::-1]


def _is_made_of(password: str, parts: list[str]) -> bool:
    """Whether nothing but digits and signs is left of the password without these parts."""
    rest = password
    for part in sorted(parts, key=len, reverse=True):
        rest = rest.replace(part, " ")
    return rest != password and not any(character.isalpha() for character in rest)


def _examined(password: str) -> Iterator[str]:
    """What zxcvbn gets of the password: its beginning, and its end if it is longer."""
    yield _tame(password[:MOST_EXAMINED])
    if len(password) > MOST_EXAMINED:
        yield _tame(password[-MOST_EXAMINED:])


def _tame(text: str) -> str:
    """The text with MOST_SIGNS different signs at most."""
    kept = list(dict.fromkeys(filter(SIGNS.__contains__, text)))[:MOST_SIGNS]
    return "".join("~" if c in SIGNS and c not in kept else c for c in text)


def _score(text: str, words: list[str]) -> int:
    """Zxcvbn's score of the text for a user with these words. Raises TooBusyError."""
    with _turns.turn(TooBusyError):
        return int(zxcvbn(text, user_inputs=[*words, SERVICE])["score"])
