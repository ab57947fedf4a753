"""Pictures opened by Pillow and brought to one size, colour and depth."""

import io
import math
import os
import stat
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Lock

import numpy as np

from .._parts._stored_state import shorten
from ._sources import describe_source, is_pil_image

MODES = {"grey": "L", "rgb": "RGB", "rgba": "RGBA"}
BANDS = {"grey": 1, "rgb": 3, "rgba": 4}
GREY_MODES = ("1", "L", "LA", "La", "I", "F")
# Pillow's modes of more than 8 bits: grey values that may have any range, and so stay numbers until it is known
DEPTHS = {"I": "int32", "F": "float32"}
GROUND = (128, 128, 128, 255)  # on which a black drawing shows as well as a white one
ORIENTATION, FIRST_SIDEWAYS = 0x0112, 5  # EXIF tag; from this value on, height and width are swapped
# What turns a picture upright, for the tag's values from 2 on
TURNS = ("FLIP_LEFT_RIGHT", "ROTATE_180", "FLIP_TOP_BOTTOM", "TRANSPOSE", "ROTATE_270", "TRANSVERSE", "ROTATE_90")
BITS, SAMPLE_FORMAT = 258, 339  # TIFF tags
MAX_IMAGE_BYTES = 2**30
LOADING = Lock()  # threads may not load one PIL image at the same time


def import_pillow():
    """Import Pillow, or say how to get it."""
    try:
        import PIL.Image
        import PIL.ImageOps
    except ImportError as error:
        raise ImportError(
            "Image files are read by Pillow, which is not installed. Install it: `pip install pillow`. Or give the "
            "images as an array."
        ) from error
    return PIL


class BrokenFileError(ValueError):
    """A file that cannot be decoded."""


@dataclass(frozen=True)
class Header:
    """Header of a picture: its size (height, width), whether it is in colour, and the type of its values."""

    size: tuple
    colored: bool
    dtype: str


@dataclass(frozen=True)
class Target:
    """Size, colour and depth that every picture is brought to.

    Parameters
    ----------
    size : tuple of int
        Height and width.
    color : {"grey", "rgb", "rgba"}
        Colour mode.
    resize : bool
        Whether pictures of other sizes are resized or refused.
    dtype : {"uint8", "int32", "float32"}, default="uint8"
        Type of the values: bytes, or those of grey pictures with more than 8 bits, which are not scaled.
    """

    size: tuple
    color: str
    resize: bool
    dtype: str = "uint8"

    @property
    def sample_shape(self):
        """(height, width, channels) of an image."""
        return (*self.size, BANDS[self.color])


@contextmanager
def open_picture(source):
    """Open a picture, and turn every error that its contents cause into one.

    Parameters
    ----------
    source : str, bytes or PIL image
        A path, an encoded image, or a picture that is open already and stays so.

    Yields
    ------
    image : PIL image

    Raises
    ------
    BrokenFileError
        If the picture cannot be decoded, here or by the caller.
    MemoryError
        If there is too little memory for a picture of its size.
    """
    PIL, image = import_pillow(), None
    try:
        if is_pil_image(source):
            with LOADING:
                source.load()
            yield source
            return
        if isinstance(source, str):
            mode = os.stat(source).st_mode
            if not stat.S_ISREG(mode):  # to open a pipe would wait for somebody to write to it
                raise BrokenFileError(
                    f"it cannot be decoded (it is {'a directory' if stat.S_ISDIR(mode) else 'no file'})"
                )
        with PIL.Image.open(io.BytesIO(source) if isinstance(source, bytes) else source) as image:
            yield image
    except BrokenFileError:
        raise
    except FileNotFoundError as error:
        raise BrokenFileError("there is no such file") from error
    except PIL.UnidentifiedImageError as error:
        empty = not (os.path.getsize(source) if isinstance(source, str) else source)
        reason = "it is empty" if empty else "it is no image of a format that Pillow knows"
        raise BrokenFileError(f"it cannot be decoded ({reason})") from error
    except (PIL.Image.DecompressionBombError, PIL.Image.DecompressionBombWarning) as error:
        raise BrokenFileError(
            f"it cannot be decoded ({shorten(error)} Set PIL.Image.MAX_IMAGE_PIXELS to a larger number if you trust it)"
        ) from error
    except Exception as error:  # Pillow's decoders raise errors of many types for damaged files
        short = isinstance(error, MemoryError) or "out of memory" in str(error)
        if short and not can_allocate(8 * math.prod(getattr(image, "size", (2**12, 2**12)))):
            raise MemoryError(shorten(error)) from error
        reason = getattr(error, "strerror", None) or shorten(error) or type(error).__name__
        raise BrokenFileError(f"it cannot be decoded ({reason})") from error


def can_allocate(n_bytes):
    """Whether there is that much memory; if so, a decoder that runs out of it was misled by its file."""
    try:
        return bool(bytearray(n_bytes))
    except MemoryError:
        return False


def read_header(source):
    """Read the header of an upright picture without decoding it; None if it cannot be read."""
    try:
        with open_picture(source) as image:
            width, height = image.size
            if read_orientation(image) >= FIRST_SIDEWAYS:
                width, height = height, width
            return Header((height, width), not image.mode.startswith(GREY_MODES), DEPTHS.get(image.mode[0], "uint8"))
    except BrokenFileError:
        return None


def read_orientation(image):
    """Read how a picture lies, from 1 (upright) to 8; 1 if its header does not say so."""
    try:
        found = int(image.getexif().get(ORIENTATION, 1))
    except Exception:  # a damaged header of an image that may be whole
        return 1
    return found if 1 <= found <= 8 else 1


def turn_upright(image):
    """Turn a picture as its header says."""
    orientation = read_orientation(image)
    if orientation == 1:
        return image
    return image.transpose(import_pillow().Image.Transpose[TURNS[orientation - 2]])


def to_color(image, color):
    """Convert a picture to a colour mode with 8 bits per channel; one with transparent parts is laid on mid-grey."""
    if color != "rgba" and (image.mode in ("P", "PA") or image.has_transparency_data):
        image = image.convert("LA") if image.mode == "La" else image
        image = image.convert("RGBA")
        if image.getextrema()[3][0] < 255:
            image_module = import_pillow().Image
            image = image_module.alpha_composite(image_module.new("RGBA", image.size, GROUND), image)
    return image.convert(MODES[color])


def decode(source, target):
    """Decode a picture, turn it upright and resize it; its proportions are kept, the longer side is cropped.

    Parameters
    ----------
    source : str, bytes or PIL image
        A path, an encoded image, or a picture.
    target : Target
        What it is brought to.

    Returns
    -------
    image : ndarray of shape (height, width, channels)
        Its type is that of the target.

    Raises
    ------
    BrokenFileError
        If the picture cannot be decoded, or not be brought to the target.
    """
    PIL = import_pillow()
    height, width = target.size
    with open_picture(source) as image:
        if target.resize and not is_pil_image(source):
            image.draft(image.mode, (2 * width, 2 * height))  # JPEG decodes faster to a fraction of its size
        if 0 in image.size:
            raise BrokenFileError("it has no pixels")
        dtype = DEPTHS.get(image.mode[0], "uint8")
        if dtype != target.dtype or (dtype != "uint8" and target.color == "rgba"):
            raise BrokenFileError(describe_depth(dtype, target))
        if dtype == "uint8":
            image = to_color(turn_upright(image), target.color)
        else:
            image = turn_upright(image if image.mode in DEPTHS else image.convert("I"))
        if image.size != (width, height):
            if not target.resize:
                raise BrokenFileError(
                    f"it is {image.size[1]} x {image.size[0]}, the others {height} x {width}; set "
                    "preprocessor__image_size=(height, width) to resize them"
                )
            image = PIL.ImageOps.fit(image, (width, height), method=PIL.Image.Resampling.BILINEAR)
        values = np.asarray(image)
        if dtype != "uint8":
            check_values(values, getattr(image, "tag_v2", {}))
        return np.broadcast_to(values.reshape(height, width, -1), target.sample_shape)


def check_values(values, tags):
    """Refuse grey values that are not finite, or whose sign Pillow has mistaken; `tags` are those of a TIFF file."""
    if not np.isfinite(values).all():
        raise BrokenFileError("it holds infinity or NaN")
    unsigned = tags.get(BITS) == (32,) and tags.get(SAMPLE_FORMAT, (1,))[0] == 1
    if unsigned and values.min() < 0:
        raise BrokenFileError("it holds integers above 2**31, which Pillow cannot read; load such files as an array")


def describe_depth(dtype, target):
    """Say why a picture's values have another type than the target's."""
    if dtype == target.dtype:
        return "it has no alpha channel; set preprocessor__color='grey'"
    bits = {"uint8": "8 bits per channel", "int32": "integers of more than 8 bits", "float32": "floating-point numbers"}
    return f"it holds {bits[dtype]}, the other images {bits[target.dtype]}; convert it"


def find_target(sources, image_size, color, n_threads):
    """Find what pictures are to be brought to, from the caller's choice and their headers.

    Parameters
    ----------
    sources : list of (str, bytes or PIL image)
        The pictures.
    image_size : int, pair of int or None
        Height and width, or the side of a square; None for the one size that all have.
    color : {"auto", "grey", "rgb", "rgba"}
        Colour mode; "auto" is grey if none is in colour, else RGB.
    n_threads : int
        Number of threads that read headers.

    Returns
    -------
    target : Target

    Raises
    ------
    ValueError
        If none can be read.
    """
    if image_size is None or color == "auto":
        with ThreadPoolExecutor(n_threads) as pool:
            headers = [header for header in pool.map(read_header, sources) if header is not None]
        if not headers:
            reason = "its header cannot be read"
            try:
                decode(sources[0], Target((1, 1), "rgb", resize=True))
            except BrokenFileError as error:
                reason = error
            raise ValueError(
                f"None of the {len(sources)} files of X can be read. X[0]={describe_source(sources[0])}: {reason}. "
                "Give absolute paths of image files, or paths relative to the working directory."
            )
    else:
        header = next(filter(None, map(read_header, sources)), None)
        headers = [] if header is None else [header]
    if color == "auto":
        color = "rgb" if any(header.colored for header in headers) else "grey"
    dtypes = [header.dtype for header in headers]
    dtype = max(dtypes, key=dtypes.count, default="uint8")
    if image_size is None:
        return Target(headers[0].size, color, False, dtype)
    size = (image_size, image_size) if np.ndim(image_size) == 0 else tuple(image_size)
    target = Target(tuple(map(int, size)), color, True, dtype)
    needed = math.prod(target.sample_shape)
    if needed > MAX_IMAGE_BYTES:
        raise ValueError(
            f"image_size={image_size!r} makes every image {needed / 2**30:,.3g} GiB large. Give a smaller size."
        )
    return target


def make_target(sample_shape, resize, sources):
    """Make the target that brings pictures to the shape of images that came as an array, with the depth of the first.

    Raises
    ------
    ValueError
        If no colour mode has as many channels.
    """
    height, width, channels = sample_shape
    header = next(filter(None, map(read_header, sources)), None)
    for color, n_bands in BANDS.items():
        if n_bands == channels:
            return Target((height, width), color, resize, header.dtype if header else "uint8")
    raise ValueError(
        f"X holds paths, but image files have 1, 3 or 4 channels and the images in fit had {channels}. Give an array."
    )
