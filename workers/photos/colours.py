"""Pixels of every mode in sRGB, on white. Pure."""

import io

from PIL import Image, ImageCms

INFO = ("icc_profile", "gamma", "srgb")
"""What Pillow's `info` says of the meaning of colours. The last two are of PNG."""
MAX_PROFILE_BYTES = 4 * 1024 * 1024
"""The largest colour profile used. Printers' profiles reach about 2 MB."""
SRGB_GAMMA = 0.45455
"""The exponent with which pictures for usual screens are encoded."""
_LEAST_GAMMA, _GREATEST_GAMMA = 0.1, 10.0
"""Others are errors of the program that wrote the file: they make a picture black or white."""
_NEAR = 0.05
"""A gamma that differs by a smaller part is not seen."""
_PROFILE_MODES = {b"RGB ": "RGB", b"GRAY": "L", b"CMYK": "CMYK"}
_DEEP_GREY = 1 << 16
"""Greys of 16 bits."""


def averageable(image: Image.Image) -> Image.Image:
    """The picture in a mode whose pixels can be averaged, with its transparency as alpha.

    Grey stays grey, as its profile is one of greys.
    """
    transparency = image.info.get("transparency")
    if image.mode == "I" or image.mode.startswith("I;16"):
        return _shallow_grey(image, transparency)
    if image.mode in {"1", "L"}:
        return image.convert("L" if transparency is None else "LA")
    if image.mode not in {"LA", "RGBA"} and image.has_transparency_data:
        return image.convert("RGBA")
    return image.convert("RGB") if image.mode == "P" else image


def _shallow_grey(image: Image.Image, transparent: object) -> Image.Image:
    """A picture of 16-bit greys with 8 bits. The transparent grey is exact."""
    grey = image.point(lambda value: value * (1 / 256)).convert("L")
    if not isinstance(transparent, int):
        return grey
    alphas = [255] * _DEEP_GREY
    alphas[transparent % _DEEP_GREY] = 0
    return Image.merge("LA", (grey, image.convert("I").point(alphas, "L")))


def srgb_profile() -> bytes:
    """The profile of sRGB, as files contain it."""
    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def flatten_on_white(image: Image.Image) -> Image.Image:
    """The picture in sRGB, with white behind transparent pixels."""
    if image.mode not in {"LA", "RGBA"}:
        return _to_srgb(image, image.info)
    opaque = _to_srgb(image.convert("L" if image.mode == "LA" else "RGB"), image.info)
    white = Image.new("RGB", image.size, "white")
    white.paste(opaque, mask=image.getchannel("A"))
    return white


def _to_srgb(image: Image.Image, info: dict[str | tuple[int, int], object]) -> Image.Image:
    """The picture in sRGB by its profile, else by its gamma; without both it counts as sRGB."""
    profile = info.get("icc_profile")
    if isinstance(profile, bytes) and (converted := _by_profile(image, profile)):
        return converted
    image = image if image.mode == "RGB" else image.convert("RGB")
    exponent = 1.0 if "srgb" in info else _exponent(info.get("gamma"))
    if abs(exponent - 1) < _NEAR:
        return image
    table = [round(255 * (value / 255) ** exponent) for value in range(256)]
    return image.point(table * 3)


def _exponent(gamma: object) -> float:
    """The exponent that brings a picture of this gamma (PNG's gAMA) to the usual one."""
    if isinstance(gamma, float) and _LEAST_GAMMA <= gamma <= _GREATEST_GAMMA:
        return SRGB_GAMMA / gamma
    return 1.0


def _by_profile(image: Image.Image, profile: bytes) -> Image.Image | None:
    """The picture in sRGB by its embedded profile; None if the profile is not usable."""
    if len(profile) > MAX_PROFILE_BYTES or not _matches_mode(profile, image.mode):
        return None
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        target = ImageCms.createProfile("sRGB")
        return ImageCms.profileToProfile(image, source, target, outputMode="RGB")
    except (ImageCms.PyCMSError, OSError, ValueError):
        return None


def _matches_mode(profile: bytes, mode: str) -> bool:
    """Whether the profile's header has the colour space of this image mode."""
    return _PROFILE_MODES.get(profile[16:20]) == mode
