"""Imported by the fork server of workers/photos/decoding.py: children find all decoders loaded.

Else each child loads Pillow's parts anew with its only picture: 7 of its 160 ms at 12 megapixels.
"""

from workers.photos.imaging import rehearse

rehearse()
