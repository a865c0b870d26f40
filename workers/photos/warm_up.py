"""Loads all decoders. The fork server of the decoding children imports this module.

A child can load nothing more once it is confined. And to load Pillow's plug-ins takes 7 of the
160 ms of a photo of 12 megapixels.
"""

import importlib

from workers.photos import seccomp
from workers.photos.imaging import load_decoders

_ENCODINGS = (
    "ascii",
    "latin_1",
    "utf_8",
    "utf_8_sig",
    "utf_16",
    "utf_16_be",
    "utf_16_le",
    "utf_32",
)
"""Of text in metadata. Python loads each at its first use."""

for _name in _ENCODINGS:
    importlib.import_module(f"encodings.{_name}")
load_decoders()
seccomp.prepare()
