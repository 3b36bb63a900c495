"""Convert any kind of pixels to 8 bits on white, and any colour space to sRGB."""

from __future__ import annotations

import io
from functools import lru_cache

import numpy as np
from PIL import Image, ImageCms

_PLAIN = frozenset({"L", "RGB", "CMYK"})
_SAME = 2  # a profile that changes no colour by more levels than this is treated as sRGB
_STEPS = 17  # per side of the cube of colours that a profile is tested with

_Transform = ImageCms.ImageCmsTransform


def flatten_on_white(image: Image.Image) -> Image.Image:
    """Return 8-bit pixels without transparency: grey, RGB, or the CMYK of a JPEG."""
    if image.mode.startswith(("I", "F")):
        return _scale_to_eight_bits(image)
    if image.mode == "LA":
        white = Image.new("L", image.size, 255)
        white.paste(image.getchannel("L"), mask=image.getchannel("A"))
        return white
    if image.has_transparency_data:
        # Transparent pixels have a colour too, often black or bright red, which must not become visible.
        image = image if image.mode == "RGBA" else image.convert("RGBA")
        white = Image.new("RGB", image.size, "white")
        white.paste(image, mask=image)
        return white
    if image.mode in _PLAIN:
        return image
    return image.convert("L" if image.mode == "1" else "RGB")


def _scale_to_eight_bits(image: Image.Image) -> Image.Image:
    """Scale deeper greys to 8 bits; Pillow's own conversion clips them to white."""
    values = np.asarray(image)
    if values.dtype == np.uint16:
        grey = (values >> 8).astype(np.uint8)
        if isinstance(clear := image.info.get("transparency"), int):
            grey[values == clear] = 255
    else:  # any range of numbers: the darkest becomes black, the brightest white
        numbers = np.nan_to_num(values.astype(np.float32), posinf=0, neginf=0)
        low, high = numbers.min(), numbers.max()
        grey = ((numbers - low) * (255 / ((high - low) or 1))).round().astype(np.uint8)
    return Image.fromarray(grey)


def convert_to_srgb(image: Image.Image, profile: bytes) -> Image.Image:
    """Return the image in sRGB; a profile that is damaged or for another kind of pixels is ignored."""
    transform = _transform(profile, image.mode) if profile else None
    if transform is not None:
        converted = ImageCms.applyTransform(image, transform)
        assert converted is not None
        return converted
    return image if image.mode == "RGB" else image.convert("RGB")


@lru_cache(maxsize=16)
def _transform(profile: bytes, mode: str) -> _Transform | None:
    """Return the transform from a profile to sRGB; cached, because most images use one of a few profiles.

    Return `None` if there is nothing to do: the profile is sRGB itself, as most are, or cannot be used.
    """
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        transform = ImageCms.buildTransform(source, ImageCms.createProfile("sRGB"), mode, "RGB")
        change = _largest_change(transform) if mode == "RGB" else _SAME + 1
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
        return None
    return transform if change > _SAME else None


def _largest_change(transform: _Transform) -> int:
    """Return the largest change of a channel, in levels, that a transform causes."""
    levels = np.linspace(0, 255, _STEPS).round().astype(np.int16)
    cube = np.stack(np.meshgrid(levels, levels, levels), axis=-1).reshape(1, -1, 3)
    converted = ImageCms.applyTransform(Image.fromarray(cube.astype(np.uint8)), transform)
    return int(np.abs(np.asarray(converted).astype(np.int16) - cube).max())
