"""The content types of photos as phones, browsers and libraries spell them. Pure."""

from api.services.photos import CONTENT_TYPES

_SPELLINGS = {
    "image/jpeg": "jpg pjpeg pjpg jpe jfif jfi jif x-jpeg x-jpg x-jfif x-citrix-jpeg",
    "image/png": "x-png apng vnd.mozilla.apng x-apng x-citrix-png",
    "image/webp": "x-webp",
    "image/heic": "heif heics heifs hif heic-sequence heif-sequence x-heic x-heif",
    "image/gif": "x-gif",
}
"""Content type → other subtypes of `image/` that mean the same bytes."""

_BY_SPELLING = {name: name for name in CONTENT_TYPES} | {
    f"image/{spelling}": name for name, others in _SPELLINGS.items() for spelling in others.split()
}


def normalize(text: str) -> str:
    """The content type that `text` means: without parameters, in lower case, in its usual name.

    A type that is not a photo's stays as it is.
    """
    return _BY_SPELLING.get(text.partition(";")[0].strip().lower(), text)
