"""How views of images are made: numbers drawn for a whole batch at once, then operations on blocks that fit a cache."""

import math
from dataclasses import dataclass
from functools import partial, reduce

import torch

from .._components import Augmentation

# Values in one block: 64 images of 32 x 32 x 3. On a CPU of 2 MB cache for each core, half and double are as good.
BLOCK = 3 * 2**16


def rows_first(x):
    """The same images in the memory order (batch, H, C, W), in which a product on either axis copies nothing."""
    return x.transpose(1, 2).contiguous().transpose(1, 2)  # (batch, C, H, W)


def to_intensities(x):
    """Bytes as intensities: 0 black, 1 white; what is not of bytes is returned as it is.

    Shape
    -----
    x : (batch, *sample_shape); returns (batch, *sample_shape), images in the memory order (batch, H, C, W)
    """
    if x.dtype != torch.uint8:
        return x
    if x.dim() == 4:  # moved while they are small
        x = rows_first(x)
    return x.to(torch.float32).div_(255)


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
    factors : callable, default=None
        For what is a matrix product along each axis: ``factors(x, rows, columns, chosen, *numbers) -> rows, columns``,
        what comes before included, where None stands for nothing. So neighbours become one product.
    """

    change: callable
    numbers: callable = None
    probability: float = 1.0
    factors: callable = None

    def draw(self, n, generator):
        """Numbers for `n` images, whether or not they will be needed; first, which images are changed (None: all)."""
        chosen = None if self.probability >= 1 else draw(n, 1, generator)[:, 0] < self.probability
        return (chosen, *(self.numbers(n, generator) if self.numbers else ()))


def product(a, b):
    """Matrices of each image, `b` applied first; None is no change."""
    return a if b is None else torch.bmm(a, b)


def chosen_of(chosen, these, those):
    """`these` matrices of the images that are chosen, `those` of the others; quicker than `where`, and exact."""
    return torch.lerp(those, these, chosen[:, None, None].to(these.dtype))


def where_chosen(matrices, chosen):
    """The matrices of the images that are chosen; the others' leave them as they are.  # (batch, size, size)"""
    if chosen is None:
        return matrices
    unit = torch.eye(matrices.shape[1], dtype=matrices.dtype, device=matrices.device)
    return chosen_of(chosen, matrices, unit.expand_as(matrices))


def separable(x, rows, columns):
    """Each image times a matrix of its own on either axis; None leaves an axis as it is.

    Shape
    -----
    x : (batch, C, H, W); rows : (batch, H, H); columns : (batch, W, W); returns (batch, C, H, W)
    """
    n, c, h, w = x.shape
    y = x.transpose(1, 2)  # (batch, H, C, W)
    if rows is not None:
        y = torch.bmm(rows.to(x.dtype), y.reshape(n, h, c * w))
    if columns is not None:
        y = torch.bmm(y.reshape(n, h * c, w), columns.to(x.dtype).mT)
    return y.reshape(n, h, c, w).transpose(1, 2)


def separable_change(operations, x, *drawn):
    """What several operations on rows and columns do together, as one product along each axis."""
    steps = zip(operations, drawn, strict=True)
    return separable(x, *reduce(lambda done, step: step[0].factors(x, *done, *step[1]), steps, (None, None)))


def joined(operations):
    """Neighbouring operations that are matrix products along each axis, put together."""
    runs = []
    for operation in operations:
        if runs and operation.factors and runs[-1][-1].factors:
            runs[-1].append(operation)
        else:
            runs.append([operation])
    return [run[0] if len(run) == 1 else together(run) for run in runs]


def together(operations):
    """One operation for a run of them."""
    return Operation(
        partial(separable_change, operations),
        lambda n, generator: tuple(operation.draw(n, generator) for operation in operations),
    )


def part(drawn, index):
    """Of numbers drawn, in tuples of any depth, those of some images."""
    if drawn is None:
        return None
    return tuple(part(d, index) for d in drawn) if isinstance(drawn, tuple) else drawn[index]


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
                changed = operation.change(some, *(part(number, index) for number in numbers))
                stored.index_copy_(0, index, changed.transpose(1, 2))
    return x


class ImageSteps:
    """Operations on images, bound to their shape, as one augmentation.

    On a CPU, all of them are applied to a block of images before the next block, and each one only to the images it
    has chosen. On other devices they are applied to whole batches, and the images not chosen are put back.

    Parameters
    ----------
    operations : list of Operation
        In the order of application.
    shape : tuple of int
        (channels, height, width) of an image.
    """

    def __init__(self, operations, shape):
        self.operations = operations
        self.shape = tuple(shape)
        self._joined = joined(operations)

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
        return tuple(operation.draw(n, generator) for operation in self._joined)

    def apply(self, x, drawn, masked=False):
        """The view that given draws make, by either way of leaving images out.  # (batch, C, H, W)"""
        x = to_intensities(x)
        view = torch.empty_like(x, memory_format=torch.contiguous_format)
        n_blocks = 1 if masked else math.ceil(x.numel() / BLOCK)
        size = max(1, math.ceil(len(x) / max(1, n_blocks)))
        for start in range(0, len(x), size):
            block = slice(start, start + size)
            view[block] = change_all(self._joined, rows_first(x[block]), part(drawn, block), masked)
        return view


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
    fine = len(value) == 2 and all(isinstance(v, (int, float)) for v in value) and value[0] <= value[1]
    if not (fine and (low < value[0] if above else low <= value[0]) and value[1] <= high):
        raise ValueError(
            f"The {name!r} parameter of {type(component).__name__} must be two numbers, the smaller one first, in "
            f"{'(' if above else '['}{low}, {high}{']' if high < float('inf') else ')'}. Got {value!r} instead."
        )
