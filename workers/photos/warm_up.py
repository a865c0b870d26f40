"""Loads all decoders. The fork server of workers/photos/decoding.py imports this module.

Otherwise each child would load Pillow's plug-ins again, which takes 7 of its 160 ms at 12
megapixels.
"""

from workers.photos.imaging import load_decoders

load_decoders()
