"""Augmentations of images: numbers drawn for a whole batch at once, operations applied to blocks that fit a cache."""

import math
from dataclasses import dataclass
from itertools import groupby

import torch

from .._parts._augmentation import Augmentation, Chain, merge_neighbors, to_intensities
from ._color_planes import change_planes

# Values in one block: 64 images of 32 x 32 x 3, with 2 MB of cache for each core. A quarter of it is half as fast;
# twice as many gain 15 % where freed memory is kept, and lose as much where it goes back to the system every time.
BLOCK_VALUES = 3 * 2**16
MAX_COMPILED_CHANNELS = 4  # the compiled code grows with the number of channels


def to_rows_first(x):
    """Store images in the memory order (batch, H, C, W), in which each row is contiguous."""
    return x.transpose(1, 2).contiguous().transpose(1, 2)  # (batch, C, H, W)


def to_columns_first(x):
    """Store images in the memory order (batch, W, C, H), in which each column is contiguous."""
    return x.permute(0, 3, 1, 2).contiguous().permute(0, 2, 3, 1)  # (batch, C, H, W)


def to_planes_first(x):
    """Store images in the memory order (batch, C, H, W), in which each channel is contiguous."""
    return x.contiguous()


def draw_uniform(n, k, generator):
    """Draw `k` uniform numbers for each of `n` images.  # (n, k)"""
    return torch.rand((n, k), generator=generator, device=generator.device, dtype=torch.float32)


def per_image(values):
    """Reshape one value per image so that it broadcasts over the image.  # (batch,) -> (batch, 1, 1, 1)"""
    return values[:, None, None, None]


@dataclass(frozen=True)
class Operation:
    """One change of images of a fixed shape: how its random numbers are drawn, and what it does with them.

    Parameters
    ----------
    change : callable
        ``change(x, *numbers) -> new tensor``, with x of shape (batch, C, H, W) and numbers of shape (batch,).
    draw_numbers : callable, default=None
        ``draw_numbers(n, generator) -> tuple of tensors``, each with one number per image; None if `change` takes none.
    probability : float, default=1.0
        Share of the images that are changed.
    columns_first : bool, default=False
        Whether `change` is fastest in the memory order (batch, W, C, H); others are fastest in (batch, H, C, W).
    fuse : callable, default=None
        ``fuse(operation, next) -> Operation``, or None if the two cannot be fused.
    planes : tuple, default=None
        For a change of colours, its version for a compiler: a function of `_color_planes` and its constants.
    """

    change: callable
    draw_numbers: callable = None
    probability: float = 1.0
    columns_first: bool = False
    fuse: callable = None
    planes: tuple = None

    def fused_with(self, other):
        """Fuse this operation with the next one; None if they cannot be fused."""
        return self.fuse(self, other) if self.fuse else None

    def draw(self, n, generator):
        """Draw for `n` images which of them are changed (None: all), and the numbers for all of them."""
        chosen = None if self.probability >= 1 else draw_uniform(n, 1, generator)[:, 0] < self.probability
        return (chosen, *(self.draw_numbers(n, generator) if self.draw_numbers else ()))


def draw_all(operations, n, generator):
    """Draw for `n` images what each operation needs."""
    return tuple(operation.draw(n, generator) for operation in operations)


def select_images(drawn, index):
    """Select the numbers that were drawn for some images."""
    return tuple(None if numbers is None else numbers[index] for numbers in drawn)


def change_all(operations, x, drawn, masked):
    """Apply operations in turn, each to the images that it has chosen.

    Shape
    -----
    x : (batch, C, H, W); returns (batch, C, H, W), which is `x` itself if nothing is changed
    """
    writable = False  # whether x was made here
    for operation, (chosen, *numbers) in zip(operations, drawn, strict=True):
        if chosen is None:
            x, writable = operation.change(x, *numbers), True
        elif masked:  # without an index of images, for which a GPU would have to wait
            x, writable = torch.where(per_image(chosen), operation.change(x, *numbers), x), True
        else:
            index = chosen.nonzero().squeeze(1)
            if len(index):
                x, writable = x if writable else x.clone(), True
                stored = x.transpose(1, 2)  # (batch, H, C, W)
                selected = stored.index_select(0, index).transpose(1, 2)
                changed = operation.change(selected, *select_images(numbers, index))
                stored.index_copy_(0, index, changed.transpose(1, 2))
    return x


class ImageSteps:
    """Operations on images of one shape, as one augmentation.

    On a CPU, a block of images goes through all operations before the next block, and each operation is applied only to
    the images that it has chosen. On other devices, each operation is applied to the whole batch, and the images that
    it has not chosen are put back.

    Parameters
    ----------
    operations : list of Operation
        In the order of application.
    shape : tuple of int
        (channels, height, width) of an image.

    Attributes
    ----------
    steps : list of Operation
        The operations, with neighbours fused where possible.
    memory_order : callable
        Stores a batch in the memory order in which the first step is fastest.
    """

    def __init__(self, operations, shape):
        self.operations = operations
        self.shape = tuple(shape)
        self.steps = [operation for _, operation in merge_neighbors((None, operation) for operation in operations)]
        self.memory_order = to_columns_first if self.steps and self.steps[0].columns_first else to_rows_first

    def fused_with(self, other):
        """Join these operations with those of the next augmentation; None if it has no such operations."""
        if isinstance(other, ImageSteps) and other.shape == self.shape:
            return ImageSteps(self.operations + other.operations, self.shape)
        return None

    def __call__(self, x, data, generator):
        """Make one view.

        Shape
        -----
        x : (batch, C, H, W); data is not used; returns (batch, C, H, W)
        """
        return self.apply(x, draw_all(self.steps, len(x), generator), masked=x.device.type != "cpu")

    def apply(self, x, drawn, masked=False):
        """Make the view that given numbers lead to, leaving images out by mask or by index.  # (batch, C, H, W)"""
        if x.dtype == torch.uint8:  # moved while they are small
            x = to_intensities(self.memory_order(x))
        view = torch.empty_like(x, memory_format=torch.contiguous_format)
        n_blocks = 1 if masked else math.ceil(x.numel() / BLOCK_VALUES)
        size = max(1, math.ceil(len(x) / max(1, n_blocks)))
        for start in range(0, len(x), size):
            block = slice(start, start + size)
            drawn_for_block = [select_images(numbers, block) for numbers in drawn]
            view[block] = change_all(self.steps, self.memory_order(x[block]), drawn_for_block, masked)
        return view

    def compiled_by(self, compiled):
        """Compile neighbouring changes of colours into one function; the steps themselves if there are none.

        Crops and blur are not compiled: a compiled crop was slower at 96 and 224 pixels, and a blur is a product of
        matrices.
        """
        groups = [(planar, list(group)) for planar, group in groupby(self.steps, key=self._is_compilable)]
        if not any(planar for planar, _ in groups):
            return self
        parts = [
            CompiledColorSteps(group, compiled) if planar else ImageSteps(group, self.shape) for planar, group in groups
        ]
        return Chain([(f"part{i}", part) for i, part in enumerate(parts)])

    def _is_compilable(self, operation):
        return operation.planes is not None and self.shape[0] <= MAX_COMPILED_CHANNELS


class CompiledColorSteps:
    """Neighbouring changes of colours, compiled into one loop over the images of a whole batch.

    Parameters
    ----------
    steps : list of Operation
        In the order of application; all of them have `planes`.
    compiled : callable
        ``compiled(function, *constants) -> function`` of the arguments behind the constants.
    """

    memory_order = staticmethod(to_planes_first)

    def __init__(self, steps, compiled):
        self.steps = steps
        self.change = compiled(change_planes, tuple(step.planes for step in steps))

    def __call__(self, x, data, generator):
        """Make one view; all images go through all steps.

        Shape
        -----
        x : (batch, C, H, W), intensities; data is not used; returns (batch, C, H, W)
        """
        return self.change(to_planes_first(x), draw_all(self.steps, len(x), generator))


class ImageAugmentation(Augmentation):
    """Base of the augmentations of images, which change each image by its own random numbers.

    Subclasses define ``_operations(shape, device)``, a list of `Operation` for images of shape (channels, height,
    width).
    """

    _made_for = ("images", "(channels, height, width)")

    def __call__(self, x, data, generator):
        """Make one view.

        Shape
        -----
        x : (batch, C, H, W), bytes or intensities; data is not used; returns (batch, C, H, W), intensities
        """
        return self._steps(tuple(x.shape[1:]), x.device)(x, data, generator)

    def _bound(self, spec, device):
        return self._steps(spec.shape, device)

    def _steps(self, shape, device):
        self._check_fits(shape)
        return ImageSteps(self._operations(tuple(shape), device), shape)
