"""The answer of a decoding child: a line of JSON, then the renditions. Pure.

The line has the code of a refusal, or sizes, blurhash and lengths. The child makes it, the worker
reads it. A hostile picture may have taken the child over, so the worker checks all of it.
"""

import json
import re
import traceback
from typing import Any

from workers.photos.errors import PROCESSING_FAILED, ImageRefusedError
from workers.photos.imaging import (
    MAX_PIXELS,
    REFUSAL_CODES,
    RENDITION_SIDES,
    RenditionSet,
    examine_and_render,
)

MAX_HEADER_BYTES = 8 * 1024
"""The longest line of JSON that is read."""
_TRACE_CHARACTERS = 2_000
_BLURHASH = re.compile(r"[0-9A-Za-z#$%*+,.:;=?@\[\]^_{|}~-]{28}")
"""Of 12 components."""


def of_picture(data: bytes, declared: str) -> bytes:
    """The answer for one file: see `imaging.examine_and_render`."""
    try:
        result = examine_and_render(data, declared)
    except ImageRefusedError as refused:
        return _line(code=refused.code)
    except MemoryError:
        return _line(code=PROCESSING_FAILED)
    except Exception:  # noqa: BLE001 - a bug, or hostile bytes; the worker logs the trace
        return _line(code=PROCESSING_FAILED, trace=traceback.format_exc()[-_TRACE_CHARACTERS:])
    body = [result.renditions[side] for side in RENDITION_SIDES]
    header = _line(
        width=result.width,
        height=result.height,
        blurhash=result.blurhash,
        lengths=[len(rendition) for rendition in body],
    )
    return header + b"".join(body)


def parse(answer: bytes) -> RenditionSet:
    """The renditions in an answer. Raises ImageRefusedError, also for a malformed one."""
    head, _, body = answer.partition(b"\n")
    try:
        header = _parse_header(head)
        if "code" in header:
            raise _refusal(header)
        return _parse_renditions(header, body)
    except (ArithmeticError, LookupError, RecursionError, TypeError, ValueError) as error:
        raise ImageRefusedError(PROCESSING_FAILED) from error


def _line(**header: object) -> bytes:
    return json.dumps(header).encode() + b"\n"


def _parse_header(head: bytes) -> dict[str, Any]:
    header = json.loads(head) if len(head) <= MAX_HEADER_BYTES else None
    if not isinstance(header, dict):
        raise TypeError("no header")
    return header


def _refusal(header: dict[str, Any]) -> ImageRefusedError:
    """The refusal that the header tells of; clients see its code."""
    code, trace = header["code"], header.get("trace")
    refused = ImageRefusedError(code if code in REFUSAL_CODES else PROCESSING_FAILED)
    if isinstance(trace, str):
        refused.add_note(trace)
    return refused


def _parse_renditions(header: dict[str, Any], body: bytes) -> RenditionSet:
    """Raises ValueError and others."""
    renditions, at = {}, 0
    for side, length in zip(RENDITION_SIDES, header["lengths"], strict=True):
        renditions[side] = body[at : at + _natural(length)]
        at += length
    width, height = _natural(header["width"]), _natural(header["height"])
    is_whole = at == len(body) and all(map(_is_jpeg, renditions.values()))
    if not is_whole or width * height > MAX_PIXELS or not _BLURHASH.fullmatch(header["blurhash"]):
        raise ValueError("malformed")
    return RenditionSet(
        width=width, height=height, blurhash=header["blurhash"], renditions=renditions
    )


def _natural(value: object) -> int:
    if type(value) is not int or value < 1:
        raise ValueError("not a natural number")
    return value


def _is_jpeg(rendition: bytes) -> bool:
    return rendition.startswith(b"\xff\xd8\xff") and rendition.endswith(b"\xff\xd9")
