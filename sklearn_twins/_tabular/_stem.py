"""The first layer of every table encoder: numbers, missing-value indicators and category embeddings."""

from itertools import accumulate

import torch
import torch.nn.functional as F
from torch import nn

from .._parts._encoder import STEM
from .._parts._initialize import SeededLayer
from ._categories import embedding_width
from ._numeric_embeddings import resolve_expansion

MAX_CODE = 2**24  # largest code that float32 holds exactly; casting floats beyond int64 depends on the machine


class TableStem(SeededLayer, nn.Module):
    """Turn table rows, with NaN and codes, into finite inputs of a network.

    A missing number becomes 0, its column's median. Each number that was missing in some training rows adds an
    indicator, 1 where it is missing, so that the network can distinguish a missing value from a median one. Each code
    becomes a trained vector (`CategoryEmbeddings`).

    Parameters
    ----------
    spec : TableSpec
        What a sample is made of.
    expansion : {"piecewise_linear", "periodic"}, component or None, default=None
        Expansion of each number (`PiecewiseLinear`, `Periodic`). None keeps the number itself.

    Attributes
    ----------
    width : int
        Number of outputs: ``spec.n_inputs`` without an expansion.

    Raises
    ------
    ValueError
        If numbers are to be expanded and the spec does not have the edges of all of them.

    Examples
    --------
    >>> import torch
    >>> from sklearn_twins.networks import TableStem, initialize
    >>> from sklearn_twins.preprocessing import TablePreprocessor
    >>> X = [[0.0, 1.0], [2.0, None], [4.0, 3.0]]
    >>> preprocessor = TablePreprocessor().fit(X)
    >>> with torch.device("meta"):
    ...     stem = TableStem(preprocessor.spec_)
    >>> stem = initialize(stem, torch.Generator().manual_seed(0))
    >>> stem(torch.tensor(preprocessor.transform(X)))[:, 2]  # where the second column is missing
    tensor([0., 1., 0.])
    """

    folds_as = STEM

    def __init__(self, spec, expansion=None):
        super().__init__()
        self.n_numbers = spec.n_numbers
        self.missing = list(spec.missing)
        self.register_buffer("marked", torch.tensor(self.missing, dtype=torch.int64), persistent=False)
        expansion = resolve_expansion(expansion) if spec.n_numbers else None
        if expansion is not None and len(spec.edges) != spec.n_numbers:
            raise ValueError(
                f"expansion={expansion!r} needs TableSpec.edges of each of the {spec.n_numbers} numbers, and has them "
                f"of {len(spec.edges)}. Use a preprocessor that gives them, or expansion=None."
            )
        self.expansion = expansion.build(spec.edges) if expansion is not None else None
        self.embeddings = CategoryEmbeddings(spec.categories) if spec.categories else None
        added = self.n_numbers * (self.expansion.width - 1) if self.expansion else 0
        self.width = spec.n_inputs + added

    def reset_parameters_from(self, generator):
        """Store which numbers have indicators, as a tensor on the weights' device.

        Indexing with a list would copy it to the GPU for each batch.

        Parameters
        ----------
        generator : torch.Generator
            Not used: nothing is random.
        """
        self.marked = torch.tensor(self.missing, dtype=torch.int64)

    def forward(self, x):
        """Turn samples into inputs.

        Parameters
        ----------
        x : Tensor of shape (batch, features)
            Table samples, NaN where a number is missing.

        Returns
        -------
        inputs : Tensor of shape (batch, width)
            Finite numbers.
        """
        numbers = x[:, : self.n_numbers] if self.embeddings else x
        parts = [torch.nan_to_num(numbers, nan=0.0)]  # (batch, n_numbers)
        if self.expansion:
            absent = numbers.isnan().unsqueeze(2)  # (batch, n_numbers, 1)
            parts = [self.expansion(parts[0]).masked_fill(absent, 0.0).flatten(1)]  # (batch, n_numbers * width)
        if self.missing:
            parts.append(torch.isnan(x[:, self.marked]).to(x.dtype))  # (batch, missing)
        if self.embeddings:
            parts.append(self.embeddings(x[:, self.n_numbers :]))
        return torch.cat(parts, dim=1) if len(parts) > 1 else parts[0]  # (batch, width)


class CategoryEmbeddings(SeededLayer, nn.Module):
    """Replace each code of each categorical column by a trained vector.

    If a column has no more categories than its vectors are wide, they start as one-hot vectors, all equally far apart.
    Otherwise they are drawn from a normal distribution, with an expected length of 1. The vectors of missing and unseen
    values start at 0, so that a value that never occurs in training contributes nothing. Columns whose vectors have the
    same width share one table, so that they are looked up at once.

    NOTE[DIFF]: the paper draws all vectors. With few dimensions, two drawn vectors may be close to each other, and
    their categories then stay hard to distinguish: docs/benchmarks/categories.md.

    Parameters
    ----------
    n_codes : tuple of int
        Number of codes of each column. Code 0 is a missing value, code 1 a value not seen in training.

    References
    ----------
    Guo and Berkhahn, "Entity Embeddings of Categorical Variables", arXiv 1604.06737, 2016, section 3.

    Shape
    -----
    (batch, columns), codes as floats -> (batch, sum of the widths), columns of equal width next to each other
    """

    def __init__(self, n_codes):
        super().__init__()
        self.groups = {}  # width -> columns
        for column, n in enumerate(n_codes):
            self.groups.setdefault(embedding_width(n), []).append(column)
        self.n_codes = n_codes
        self.tables = nn.ParameterDict(
            {str(width): torch.empty(sum(n_codes[c] for c in group), width) for width, group in self.groups.items()}
        )
        for width in self.groups:
            for name in ("columns", "last", "first"):
                self.register_buffer(f"{name}_{width}", torch.empty(len(self.groups[width])), persistent=False)

    def reset_parameters_from(self, generator):
        """Draw the vectors, and store where each column's vectors are."""
        for width, group in self.groups.items():
            sizes = torch.tensor([self.n_codes[c] for c in group])
            first = torch.tensor([0, *accumulate(sizes.tolist())][:-1])
            setattr(self, f"columns_{width}", torch.tensor(group))
            setattr(self, f"last_{width}", sizes - 1)
            setattr(self, f"first_{width}", first)
            table = self.tables[str(width)].normal_(std=width**-0.5, generator=generator)
            table[torch.cat([first, first + 1])] = 0.0
            for start, n in zip((first + 2).tolist(), (sizes - 2).tolist(), strict=True):
                if n == width:
                    table[start : start + n] = torch.eye(n)

    def forward(self, codes):
        vectors = []
        for width in self.groups:
            columns, last, first = (getattr(self, f"{name}_{width}") for name in ("columns", "last", "first"))
            group = codes if len(self.groups) == 1 else codes[:, columns]
            bounded = torch.nan_to_num(group, nan=0.0).clamp(0, MAX_CODE)
            rows = bounded.long().minimum(last) + first  # (batch, group)
            vectors.append(F.embedding(rows, self.tables[str(width)]).flatten(1))  # (batch, group * width)
        return torch.cat(vectors, dim=1) if len(vectors) > 1 else vectors[0]
