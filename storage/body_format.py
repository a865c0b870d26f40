"""The form of a body in the cache: its JSON, compressed with a dictionary of its own.

The first byte of a value is its version: `{` for plain JSON, n for a Zstandard frame with the
dictionary bodies-n.zdict. Processes of two releases use one cache, so a new dictionary is only read
by the release that brings it, and written from the next release on. docs/decisions/0013 has the
figures.
"""

import hashlib
import threading
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import structlog
import zstandard

from observing.metrics import BODIES_UNREADABLE

log = structlog.get_logger()

LONGEST_BYTES = 64 * 1024
"""The longest JSON that is compressed or decompressed. A body of ten photos, each with the longest
alternative text, has some 53 kB. A damaged value cannot use more memory than this."""
LEVEL = 9
USUAL_BYTES = 1024
"""The size of JSON for which the compressor chooses its tables."""
PLAIN = b"{"
"""The first byte of plain JSON."""
FOLDER = Path(__file__).parent / "dictionaries"


@dataclass(frozen=True, slots=True, kw_only=True)
class Dictionary:
    """A dictionary in the repository; a changed file needs a new version."""

    version: int
    """1 to 31: below every byte that JSON or a reservation begins with."""
    sha256: str

    def load(self) -> bytes:
        """The file's bytes. Raises ValueError if they are not those of this version."""
        data = (FOLDER / f"bodies-{self.version}.zdict").read_bytes()
        if hashlib.sha256(data).hexdigest() != self.sha256:
            raise ValueError(f"bodies-{self.version}.zdict has changed: it needs a new version")
        return data


@dataclass(frozen=True, slots=True)
class Unreadable:
    """Why a value cannot be decoded: a version of another release, or a damaged frame."""

    why: Literal["version", "damage"]


DICTIONARIES = (
    Dictionary(
        version=1, sha256="cbd5c5b26b5243c97f88e598ea3a30ca783cf5da494fb23036cac6d69e108851"
    ),
)
"""The dictionaries of the last two versions."""
WRITTEN = DICTIONARIES[0]
"""The dictionary that new values are compressed with."""


class BodyFormat:
    """Writes values with one dictionary and reads those of several. Safe for use by threads."""

    def __init__(self, written: Dictionary, read: Iterable[Dictionary]) -> None:
        data = {dictionary.version: dictionary.load() for dictionary in (written, *read)}
        self._version = written.version
        self._parameters = _parameters(len(data[written.version]))
        self._dictionaries = {
            version: zstandard.ZstdCompressionDict(of_version)
            for version, of_version in data.items()
        }
        self._dictionaries[self._version].precompute_compress(compression_params=self._parameters)
        self._of_thread = threading.local()

    def encode(self, body: bytes) -> bytes:
        """The value of a body. An empty one, which is a tombstone, stays empty.

        A body beyond LONGEST_BYTES stays plain.
        """
        if not body or len(body) > LONGEST_BYTES:
            return body
        return b"%c" % self._version + self._codecs().compressor.compress(body)

    def read(self, value: bytes) -> bytes | Unreadable:
        """The body of a value: JSON, or empty if the value is a tombstone."""
        if not value or value.startswith(PLAIN):
            return value
        decompressor = self._codecs().decompressors.get(value[0])
        if decompressor is None:
            return Unreadable("version")
        return _decompressed(decompressor, value[1:]) or Unreadable("damage")

    def _codecs(self) -> "_Codecs":
        """The compressor and the decompressors of this thread."""
        codecs: _Codecs | None = getattr(self._of_thread, "codecs", None)
        if codecs is None:
            codecs = _Codecs(
                compressor=zstandard.ZstdCompressor(
                    dict_data=self._dictionaries[self._version],
                    compression_params=self._parameters,
                ),
                decompressors={
                    version: zstandard.ZstdDecompressor(
                        dict_data=dictionary, format=zstandard.FORMAT_ZSTD1_MAGICLESS
                    )
                    for version, dictionary in self._dictionaries.items()
                },
            )
            self._of_thread.codecs = codecs
        return codecs


@dataclass(frozen=True, slots=True, kw_only=True)
class _Codecs:
    compressor: zstandard.ZstdCompressor
    decompressors: dict[int, zstandard.ZstdDecompressor]
    """By version."""


def _parameters(dictionary_bytes: int) -> zstandard.ZstdCompressionParameters:
    """Frames without what the value says already or nobody reads: magic number, dictionary id.

    The content size (one or two bytes) stays: it bounds the memory of the decoder before it
    decodes. A checksum would cost four bytes; plain JSON had none either.
    """
    return zstandard.ZstdCompressionParameters.from_level(
        LEVEL,
        source_size=USUAL_BYTES,
        dict_size=dictionary_bytes,
        format=zstandard.FORMAT_ZSTD1_MAGICLESS,
        write_content_size=1,
        write_checksum=0,
        write_dict_id=0,
    )


def _decompressed(decompressor: zstandard.ZstdDecompressor, frame: bytes) -> bytes:
    """The content of a frame; empty, which no frame is, if it is damaged or too large."""
    try:
        header = zstandard.get_frame_parameters(frame, zstandard.FORMAT_ZSTD1_MAGICLESS)
        if header.content_size > LONGEST_BYTES:  # also where the header has no size
            return b""
        return decompressor.decompress(frame, allow_extra_data=False)
    except zstandard.ZstdError:
        return b""


_format = BodyFormat(WRITTEN, DICTIONARIES)
_logged: set[str] = set()


def encode(body: bytes) -> bytes:
    """The value that the cache holds for a body: see BodyFormat.encode()."""
    return _format.encode(body)


def decode(value: bytes) -> bytes | None:
    """The body of a value of the cache, empty if it is a tombstone.

    None, with a counter and one log line a process, if the value is of an unknown version or
    damaged. Not for reservations: see reservations.py.
    """
    body = _format.read(value)
    if isinstance(body, Unreadable):
        _report(body.why, value)
        return None
    return body


def _report(why: Literal["version", "damage"], value: bytes) -> None:
    BODIES_UNREADABLE.labels(why=why).inc()
    if why not in _logged:
        _logged.add(why)
        log.warning("body unreadable", why=why, version=value[0], bytes=len(value))
