"""TableSpec: what a sample of a table is made of."""

from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np

from .._parts._spec import SampleSpec
from ._categories import embedding_width


@dataclass(frozen=True)
class TableSpec(SampleSpec):
    """The columns of a table's sample: numbers first, then the codes of categories.

    Parameters
    ----------
    shape : tuple of (int,)
        Number of columns of a sample.
    missing : tuple of int, default=()
        Numbers that are missing in some training rows. A missing number is NaN in the sample; networks mark it instead
        of guessing it.
    categories : tuple of int, default=()
        Number of codes of each categorical column: 0 for a missing value, 1 for a value not seen in training, then the
        categories.
    sources : tuple of int, default=()
        For each column of a sample, the column of X it was made from, if one column of X made several (the parts of a
        date); otherwise empty.
    edges : tuple of tuples of float, default=()
        For each number, the edges of 32 bins with equally many training rows. Left out of comparisons.
    clip : float or None, default=None
        Bound of the soft clip of numbers: a scaled number z became ``z / sqrt(1 + (z / clip)^2)``.

    Examples
    --------
    >>> from sklearn_twins.preprocessing import TablePreprocessor
    >>> spec = TablePreprocessor().fit([[0.5, "a"], [1.5, "b"], [None, "a"]]).spec_
    >>> spec.shape, spec.missing, spec.categories
    ((2,), (0,), (4,))
    """

    kind: ClassVar = "tables"

    missing: tuple = ()
    categories: tuple = ()
    sources: tuple = ()
    edges: tuple = field(default=(), repr=False, compare=False)
    clip: float | None = None

    def __getstate__(self):  # skops needs 200 bytes for each single float
        return {**vars(self), "edges": np.array(self.edges, dtype=np.float64)}

    def __setstate__(self, state):
        self.__dict__.update(state, edges=tuple(map(tuple, state["edges"].tolist())))

    @property
    def n_numbers(self):
        """Number of numeric columns in a sample; codes follow them."""
        return self.shape[0] - len(self.categories)

    @property
    def n_interpolated(self):
        """Number of leading columns that views may interpolate; None if that is all of them."""
        return self.n_numbers if self.categories else None

    @property
    def n_inputs(self):
        """Number of inputs an encoder receives: numbers, marks of missing ones, and embeddings of categories."""
        return self.n_numbers + len(self.missing) + sum(map(embedding_width, self.categories))

    def make_stem(self):
        """Make the layer in front of a user's network: a `TableStem`.

        Returns
        -------
        stem : nn.Module
            Not initialised yet.
        """
        from ._stem import TableStem

        return TableStem(self)

    def describe_input(self):
        """Say in an error message what a user's network receives.

        Returns
        -------
        hint : str
            A sentence for the end of the message.
        """
        return f"For a table it receives {self.n_inputs} numbers, see TableSpec.n_inputs."
