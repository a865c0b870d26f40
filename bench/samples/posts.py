"""Posts as varied as people write them, drawn from a seed: they train and measure the dictionary.

The bench's town gives all posts one caption and one blurhash, which any dictionary would hold. Here
captions differ in length, language and words. Names, places, hashtags and all but the commonest
words are in two halves: the dictionary is trained on posts of one half and measured on posts of the
other.
"""

import random
from collections.abc import Iterator
from typing import Literal

from bench.samples.words import HASHTAGS, LANGUAGES, NAMES, PLACES, SIGNS
from feed.rendering import render
from graph.ids import RANDOM_BITS, from_ms, ms_of
from graph.posts import Location, PostedPhoto
from graph.posts import Post as GraphPost
from storage import Storage, StorageSettings

Half = Literal[0, 1]
"""Which words the posts use: those at even places, or those at odd places."""

COMMON = 16
"""Words of each language that both halves use, as all writers do."""

YEARS = 15
"""The posts are of this many years, so that the dictionary favours no month and no year."""
FIRST_ID, LAST_ID = 1 << 44, YEARS * 365 * 86_400_000 << RANDOM_BITS
PHOTO_COUNTS = (70, 13, 7, 4, 2, 1, 1, 1, 0.5, 0.5)
"""Weights of 1, 2, … 10 photos a post."""
CAPTION_WORDS = ((0, 10), (3, 30), (8, 30), (20, 18), (60, 9), (250, 3))
"""Mean words of a caption, and the weight of this length."""
LONGEST_CAPTION = 2200
HASHTAGGED, PLACED, DESCRIBED, SIGNED = 0.4, 0.5, 0.25, 0.4
"""Shares of the posts with hashtags and with a place, of the photos with an alternative text, and
of the captions with emoji."""
SIDES = ((4032, 3024), (3024, 4032), (4000, 3000), (1920, 1080), (1080, 1350), (6000, 4000))
CROPPED = 0.3
"""Share of the photos with other sides than a camera's."""
UNMAPPED = 0.3
"""Share of the places without coordinates."""
BASE83 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz#$%*+,-.:;=?@[]^_{|}~"
BASE64 = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
LETTERS = "abcdefghijklmnopqrstuvwxyz"
MEDIA_HOSTS = ("", "media.", "cdn.", "img.", "photos.", "static.", "s3.")
DOMAINS = ("com", "net", "org", "app", "io", "de", "fr", "com.br", "jp", "id", "co.uk", "social")
MEDIA = "https://media.invalid"
"""Replaced by another base URL in each body, so that the dictionary favours no host."""


def sample_bodies(seed: int, count: int, half: Half) -> list[bytes]:
    """So many bodies of different posts, rendered by the product."""
    return list(_bodies(random.Random(seed), count, half))


def _bodies(draw: random.Random, count: int, half: Half) -> Iterator[bytes]:
    storage = Storage.open(_unused_settings())
    try:
        for _ in range(count):
            body = render(_Writer(draw, half).post(), storage)
            yield body.replace(MEDIA.encode(), _media_base_url(draw).encode())
    finally:
        storage.close()


def _unused_settings() -> StorageSettings:
    """Settings that no server is needed for: only the URLs of renditions are asked of the store."""
    return StorageSettings(
        queue_url="redis://127.0.0.1:9",
        cache_url="redis://127.0.0.1:9",
        s3_endpoint_url="http://127.0.0.1:9",
        s3_bucket="none",
        s3_access_key="none",
        s3_secret_key="none",  # noqa: S106 - no server
        media_base_url=MEDIA,
        s3_region="none",
    )


def _media_base_url(draw: random.Random) -> str:
    name = _text(draw, LETTERS, 4, 14)
    host = f"{draw.choice(MEDIA_HOSTS)}{name}.{draw.choice(DOMAINS)}"
    return f"https://{host}{draw.choice(('', '', f'/{_text(draw, LETTERS, 4, 12)}'))}"


def _text(draw: random.Random, letters: str, shortest: int, longest: int) -> str:
    return "".join(draw.choices(letters, k=draw.randint(shortest, longest)))


class _Writer:
    """Writes one post, in one language."""

    def __init__(self, draw: random.Random, half: Half) -> None:
        self._draw = draw
        self._half = half
        words = draw.choice(LANGUAGES).split()
        self._words = words[:COMMON] + words[COMMON + half :: 2]
        self._weights = [1 / rank for rank in range(1, len(self._words) + 1)]  # Zipf's law

    def post(self) -> GraphPost:
        """A post of one to ten photos."""
        draw, post_id = self._draw, self._draw.randint(FIRST_ID, LAST_ID)
        first, last = self._pick(NAMES), self._pick(NAMES)
        count = draw.choices(range(1, 11), PHOTO_COUNTS)[0]
        return GraphPost(
            id=post_id,
            author_id=draw.randint(FIRST_ID, post_id),
            author_username=draw.choice(("{}{}", "{}.{}", "{}_{}")).format(first, last).lower(),
            author_name=f"{first} {last}",
            caption=self._caption() or None,
            location=self._location() if draw.random() < PLACED else None,
            photos=tuple(self._photo(post_id) for _ in range(count)),
            created_at=from_ms(ms_of(post_id)),
        )

    def _pick(self, words: str) -> str:
        return self._draw.choice(words.split()[self._half :: 2])

    def _caption(self) -> str:
        draw = self._draw
        lengths, weights = zip(*CAPTION_WORDS, strict=True)
        mean = draw.choices(lengths, weights)[0]
        text = self._sentences(draw.randint(mean // 2, mean * 3 // 2))
        if text and draw.random() < SIGNED:
            text += " " + "".join(draw.choices(SIGNS.split(), k=draw.randint(1, 3)))
        if draw.random() < HASHTAGGED:
            text += "\n" + " ".join(f"#{self._pick(HASHTAGS)}" for _ in range(draw.randint(1, 8)))
        return text[:LONGEST_CAPTION].strip()

    def _sentences(self, count: int) -> str:
        words = self._draw.choices(self._words, self._weights, k=count)
        for place in range(0, count, self._draw.randint(4, 12)):
            words[place] = words[place].capitalize()
            words[place - 1] += self._draw.choice((".", ".", "!", ",", "…", "?"))
        return " ".join(words)

    def _location(self) -> Location:
        draw, name = self._draw, self._pick(PLACES).replace("_", " ")
        if draw.random() < UNMAPPED:
            return Location(name=name)
        latitude, longitude = draw.uniform(-60, 70), draw.uniform(-180, 180)
        return Location(name=name, latitude=round(latitude, 5), longitude=round(longitude, 5))

    def _photo(self, post_id: int) -> PostedPhoto:
        draw = self._draw
        width, height = draw.choice(SIDES)
        if draw.random() < CROPPED:
            width, height = draw.randint(320, 6000), draw.randint(320, 6000)
        alt_text = self._sentences(draw.randint(4, 20)) if draw.random() < DESCRIBED else None
        return PostedPhoto(
            id=post_id - (draw.randint(5_000, 600_000) << RANDOM_BITS) - draw.randrange(4096),
            path=_text(draw, BASE64, 22, 22),
            width=width,
            height=height,
            blurhash="L" + _text(draw, BASE83, 27, 27),
            alt_text=alt_text,
        )
