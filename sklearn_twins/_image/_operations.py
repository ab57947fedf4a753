"""How views of images are made: numbers drawn for a whole batch at once, then operations on blocks that fit a cache."""

import math
from dataclasses import dataclass
from itertools import groupby
from numbers import Real

import torch

from .._parts._augmentation import Augmentation, Chain, PrefersOrder, fused, to_intensities
from ._color_planes import change_planes

# Values in one block: 64 images of 32 x 32 x 3, with 2 MB of cache for each core. A quarter of it is half as quick;
# twice as many gain 15 % where freed memory is kept, and lose as much where it goes back to the system every time.
BLOCK = 3 * 2**16
MOST_PLANES = 4  # channels for which operations on planes are compiled: what is compiled grows with them


def rows_first(x):
    """The same images in the memory order (batch, H, C, W), in which whole rows are pieces of memory."""
    return x.transpose(1, 2).contiguous().transpose(1, 2)  # (batch, C, H, W)


def columns_first(x):
    """The same images in the memory order (batch, W, C, H), in which whole columns are pieces of memory."""
    return x.permute(0, 3, 1, 2).contiguous().permute(0, 2, 3, 1)  # (batch, C, H, W)


def planes_first(x):
    """The same images in the memory order (batch, C, H, W), in which whole planes are pieces of memory."""
    return x.contiguous()


def draw(n, k, generator):
    """`k` uniform numbers for each of `n` images.  # (n, k)"""
    return torch.rand((n, k), generator=generator, device=generator.device, dtype=torch.float32)


def each(values):
    """One value for each image, to be broadcast over it.  # (batch,) -> (batch, 1, 1, 1)"""
    return values[:, None, None, None]


@dataclass(frozen=True)
class Operation:
    """One change of images, bound to their shape: how its numbers are drawn, and what they do.

    Parameters
    ----------
    change : callable
        ``change(x, *numbers) -> new tensor``, for tensors of (batch, C, H, W) and of (batch,).
    numbers : callable, default=None
        ``numbers(n, generator) -> tuple of tensors`` with one entry for each image; None, if nothing is drawn.
    probability : float, default=1.0
        Share of the images that are changed.
    columns_first : bool, default=False
        Whether `change` is quickest for images in the memory order (batch, W, C, H); other operations work on rows.
    fuse : callable, default=None
        ``fuse(operation, next) -> Operation``, or None for those that it cannot be put together with.
    planes : tuple, default=None
        Of a change of colours, the same one for a compiler: a function of `_planes` and its constants.
    """

    change: callable
    numbers: callable = None
    probability: float = 1.0
    columns_first: bool = False
    fuse: callable = None
    planes: tuple = None

    def fused_with(self, other):
        """This operation and the next one as one; None, if there is no such."""
        return self.fuse(self, other) if self.fuse else None

    def draw(self, n, generator):
        """Numbers for `n` images, whether or not they will be needed; first, which images are changed (None: all)."""
        chosen = None if self.probability >= 1 else draw(n, 1, generator)[:, 0] < self.probability
        return (chosen, *(self.numbers(n, generator) if self.numbers else ()))


def part(drawn, index):
    """Of what an operation has drawn, that of some images."""
    return tuple(None if numbers is None else numbers[index] for numbers in drawn)


def change_all(operations, x, drawn, masked):
    """Apply operations in turn, to the images that each has chosen.

    Shape
    -----
    x : (batch, C, H, W); returns (batch, C, H, W), which is `x` itself where nothing is changed
    """
    mine = False  # whether x was made here, and may be written to
    for operation, (chosen, *numbers) in zip(operations, drawn, strict=True):
        if chosen is None:
            x, mine = operation.change(x, *numbers), True
        elif masked:  # no image is looked for, so that a GPU need not wait
            x, mine = torch.where(each(chosen), operation.change(x, *numbers), x), True
        else:
            index = chosen.nonzero().squeeze(1)
            if len(index):
                x, mine = x if mine else x.clone(), True
                stored = x.transpose(1, 2)  # (batch, H, C, W)
                some = stored.index_select(0, index).transpose(1, 2)
                changed = operation.change(some, *part(numbers, index))
                stored.index_copy_(0, index, changed.transpose(1, 2))
    return x


class ImageSteps(PrefersOrder):
    """Operations on images, bound to their shape, as one augmentation.

    On a CPU, all of them are applied to a block of images before the next block, and each one only to the images it
    has chosen. On other devices they are applied to whole batches, and the images not chosen are put back.

    Parameters
    ----------
    operations : list of Operation
        In the order of application.
    shape : tuple of int
        (channels, height, width) of an image.

    Attributes
    ----------
    steps : list of Operation
        The operations, neighbours put together where that is possible.
    order : callable
        The memory order that the first of them likes best: `columns_first` or `rows_first`.
    """

    def __init__(self, operations, shape):
        self.operations = operations
        self.shape = tuple(shape)
        self.steps = [operation for _, operation in fused((None, operation) for operation in operations)]
        self.order = columns_first if self.steps and self.steps[0].columns_first else rows_first

    def fused_with(self, other):
        """These operations and those of the next augmentation as one; None, if that is not of this kind."""
        if isinstance(other, ImageSteps) and other.shape == self.shape:
            return ImageSteps(self.operations + other.operations, self.shape)
        return None

    def __call__(self, x, data, generator):
        """Make one view.

        Shape
        -----
        x : (batch, C, H, W); data is not used; returns (batch, C, H, W)
        """
        return self.apply(x, self.draw(len(x), generator), masked=x.device.type != "cpu")

    def draw(self, n, generator):
        """What `apply` needs for `n` images: for each operation, which ones it changes, and its numbers."""
        return tuple(operation.draw(n, generator) for operation in self.steps)

    def apply(self, x, drawn, masked=False):
        """The view that given draws make, by either way of leaving images out.  # (batch, C, H, W)"""
        if x.dtype == torch.uint8:  # moved while they are small
            x = to_intensities(self.order(x))
        view = torch.empty_like(x, memory_format=torch.contiguous_format)
        n_blocks = 1 if masked else math.ceil(x.numel() / BLOCK)
        size = max(1, math.ceil(len(x) / max(1, n_blocks)))
        for start in range(0, len(x), size):
            block = slice(start, start + size)
            view[block] = change_all(
                self.steps, self.order(x[block]), [part(numbers, block) for numbers in drawn], masked
            )
        return view

    def compiled_by(self, compiled):
        """The same steps, neighbours that change colours alone compiled as one; these themselves, if there are none.

        Crops and blur are not compiled: measured, a compiled crop was slower at 96 and 224 pixels, and a blur is a
        product of matrices.
        """
        groups = [(planar, list(group)) for planar, group in groupby(self.steps, key=self._has_planes)]
        if not any(planar for planar, _ in groups):
            return self
        parts = [
            ColourSteps(group, self.shape, compiled) if planar else ImageSteps(group, self.shape)
            for planar, group in groups
        ]
        return Chain([(f"part{i}", part) for i, part in enumerate(parts)])

    def _has_planes(self, operation):
        return operation.planes is not None and self.shape[0] <= MOST_PLANES


class ColourSteps(ImageSteps):
    """Neighbouring operations that change colours alone, compiled: one loop over the images of a whole batch.

    Parameters
    ----------
    operations : list of Operation
        In the order of application; all of them have `planes`.
    shape : tuple of int
        (channels, height, width) of an image.
    compiled : callable
        ``compiled(function, *constants) -> function`` of what follows the constants.
    """

    def __init__(self, operations, shape, compiled):
        super().__init__(operations, shape)
        self.order = planes_first
        self.change = compiled(change_planes, tuple(operation.planes for operation in self.steps))

    def apply(self, x, drawn, masked=True):
        """The view that given draws make; all images go through all operations.  # (batch, C, H, W)"""
        return self.change(planes_first(x), drawn)


class ImageAugmentation(Augmentation):
    """What makes views of images, each changed by draws of its own.

    Subclasses say what they do in ``_operations(shape, device)``, a list of `Operation` for images of shape (channels,
    height, width).
    """

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
        if len(shape) != 3:
            raise ValueError(
                f"{type(self).__name__} makes views of images, of shape (channels, height, width). The samples here "
                f"have the shape {tuple(shape)}; take an augmentation of tables, as MarginalCorruption() is."
            )
        return ImageSteps(self._operations(tuple(shape), device), shape)


def check_pair(component, name, low, high, above=False):
    """Refuse a parameter that is not a pair of numbers, the smaller one first, in a range."""
    value = getattr(component, name)
    fine = len(value) == 2 and all(isinstance(v, Real) for v in value) and value[0] <= value[1]
    if not (fine and (low < value[0] if above else low <= value[0]) and value[1] <= high):
        raise ValueError(
            f"The {name!r} parameter of {type(component).__name__} must be two numbers, the smaller one first, in "
            f"{'(' if above else '['}{low}, {high}{']' if high < float('inf') else ')'}. Got {value!r} instead."
        )
