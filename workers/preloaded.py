"""Imported by the fork server of `workers.decoding` alone: a child finds every decoder part there.

Else each child loads Pillow's parts anew with its only picture: 7 of its 160 ms at 12 megapixels.
"""

from workers.imaging import rehearse

rehearse()
