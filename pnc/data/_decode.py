"""Encoded pictures (PNG, JPEG, WebP, ...) to one uint8 tensor, in as many threads as there are cores."""

import io
import os
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import torch
from PIL import Image, UnidentifiedImageError
from torch import Tensor

from pnc.base.errors import PncError, bad
from pnc.base.images import resize
from pnc.base.progress import track

Encoded = tuple[str, bytes | Path]  # what errors call the picture, and its bytes or file
CHUNK = 256  # pictures in one task of the pool
LONG = 20_000  # pictures from which on decoding takes seconds
FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "GIF", "PPM", "TIFF")  # trying Pillow's other forty takes twice as long


def decode(pictures: Sequence[Encoded], size: int | None = None) -> Tensor:
    """``pictures`` as uint8 [N, C, H, W], brought to ``size`` × ``size`` if that is given.

    C is 1 if no picture has any colour (WebP has no grey mode, so the mode does not tell), else 3.
    Raises PncError, naming the picture, for one that is damaged, has more than 8 bits per channel, or differs
    in size from the first while no ``size`` is given; and for no pictures at all.
    """
    if not pictures:
        raise bad("pictures to decode", expected="at least one", found="none")
    height, width = _decode_one(pictures[0], size).shape[1:]
    pixels = torch.empty(len(pictures), 3, height, width, dtype=torch.uint8)

    def fill(start: int) -> None:
        part = pictures[start : start + CHUNK]
        decoded = [_same_size(_decode_one(picture, size), height, width, picture[0]) for picture in part]
        torch.stack(decoded, out=pixels[start : start + CHUNK])

    starts = range(0, len(pictures), CHUNK)
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        filled = pool.map(fill, starts)
        for _ in track(starts, "decoding", shown=len(pictures) >= LONG and sys.stderr.isatty()):
            next(filled)
    return pixels if _has_colour(pixels) else pixels[:, :1].clone()


def _decode_one(picture: Encoded, size: int | None) -> Tensor:
    """One picture as RGB, uint8 [3, H, W]."""
    name, content = picture
    try:
        data = content.read_bytes() if isinstance(content, Path) else content
        with Image.open(io.BytesIO(data), formats=FORMATS) as opened:
            if opened.mode.startswith(("I", "F")):
                raise bad(name, expected="a picture of 8 bits per channel", found=f"mode {opened.mode}")
            pixels = torch.from_numpy(np.array(opened.convert("RGB"))).permute(2, 0, 1)
    except PncError:
        raise
    except UnidentifiedImageError:
        raise bad(name, expected=f"a picture ({', '.join(FORMATS)})", found="other or damaged bytes") from None
    except Exception as error:  # Pillow's decoders raise a dozen types on damaged bytes
        raise bad(name, expected="a whole picture", found=f"damaged bytes ({error})") from None
    return pixels if size is None else resize(pixels.unsqueeze(0), size)[0]


def _same_size(pixels: Tensor, height: int, width: int, name: str) -> Tensor:
    if pixels.shape[1:] != (height, width):
        found = f"{pixels.shape[1]}×{pixels.shape[2]}"
        raise bad(name, expected=f"{height}×{width} pixels like the first picture", found=found)
    return pixels


def _has_colour(pixels: Tensor) -> bool:
    red, green, blue = pixels.unbind(1)
    return not (torch.equal(red, green) and torch.equal(green, blue))
