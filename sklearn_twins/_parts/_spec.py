"""What samples are made of, for networks and views."""

from dataclasses import dataclass, field

import numpy as np

from .._tabular._spec import embedding_width


@dataclass(frozen=True)
class SampleSpec:
    """What a network has to know of the samples it will receive.

    Parameters
    ----------
    shape : tuple of int
        The shape of one sample without the batch axis: (columns,) of a table, the numbers first, then the codes of
        categories; (channels, height, width) of an image.
    missing : tuple of int, default=()
        Numbers of a table's sample that are missing in some training rows. A missing number
        is NaN in the sample; networks mark it instead of guessing it.
    categories : tuple of int, default=()
        For each categorical column, how many codes it has: 0 for a missing value, 1 for one that was not seen in
        training, then the categories.
    sources : tuple of int, default=()
        For each column of a sample, the column of X that it was made of, if some were made of the same one (the
        parts of a date); empty if none were.
    edges : tuple of tuples of float, default=()
        For each number, the edges of 32 bins with equally many training rows. Left out of comparisons.
    clip : float or None, default=None
        Bound of a table's numbers, if they are softly clipped: ``z / sqrt(1 + (z / clip)^2)`` of a scaled number z.
    mean, std : tuple of float, default=()
        For each channel of an image, mean and standard deviation of its intensity in the training images, where 0 is
        black and 1 is white.

    Examples
    --------
    >>> from sklearn_twins.preprocessing import TablePreprocessor
    >>> spec = TablePreprocessor().fit([[0.5, "a"], [1.5, "b"], [None, "a"]]).spec_
    >>> spec.shape, spec.missing, spec.categories
    ((2,), (0,), (4,))
    """

    shape: tuple
    missing: tuple = ()
    categories: tuple = ()
    sources: tuple = ()
    edges: tuple = field(default=(), repr=False, compare=False)
    clip: float | None = None
    mean: tuple = ()
    std: tuple = ()

    def __getstate__(self):  # floats one by one take skops 200 bytes each
        return {**vars(self), "edges": np.array(self.edges, dtype=np.float64)}

    def __setstate__(self, state):
        self.__dict__.update(state, edges=tuple(map(tuple, state["edges"].tolist())))

    @property
    def is_image(self):
        """Whether a sample is an image."""
        return len(self.shape) == 3

    @property
    def n_numbers(self):
        """Numbers in one sample of a table; what follows are codes."""
        return self.shape[0] - len(self.categories)

    @property
    def n_inputs(self):
        """Numbers that an encoder receives for one sample of a table.

        The sample's own numbers, marks of those that are missing, and the embeddings of its categories.
        """
        return self.n_numbers + len(self.missing) + sum(map(embedding_width, self.categories))
