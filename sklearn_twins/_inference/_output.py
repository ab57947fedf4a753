"""What `transform` returns: the encoder's output and, beside it, the columns of a table it was made of."""

import math
from dataclasses import dataclass
from functools import partial

import numpy as np

from .._parts._spec import SampleSpec
from .._parts._user_encoder import ReadyEncoder
from .._tabular._spec import embedding_width
from ._embed import embed

N_ROWS = 2_048  # of the training rows, from which scales are learnt
# Total variances. 1 for each coordinate would be twenty times that, and leave a linear classifier of few labels too
# free; columns as loud as the embedding, or a quarter as loud, do a little worse: docs/benchmarks/quality.md.
EMBEDDING_VARIANCE, COLUMN_VARIANCE = 12.0, 6.0
# Bound of the columns' numbers, in interquartile ranges. Samples are clipped far closer, which an encoder likes better;
# the tails that they lose are what some classes are told by.
WIDEST = 10.0


def passes_columns(passthrough, encoder, spec, n_components):
    """Whether columns stand beside the embedding.

    Parameters
    ----------
    passthrough : "auto" or bool
        The embedder's parameter. "auto" is where the width of the embedding was left to the package: of tables, with
        `n_components` None and an encoder built here.
    encoder : component
        The encoder's recipe.
    spec : SampleSpec
        What the samples are.
    n_components : int or None
        The embedder's parameter.

    Raises
    ------
    ValueError
        If columns are asked for, and the samples have none.
    """
    is_table = len(spec.shape) == 1
    if passthrough == "auto":
        return is_table and n_components is None and not isinstance(encoder, ReadyEncoder)
    if passthrough and not is_table:
        raise ValueError(
            f"passthrough={passthrough!r} puts columns of a table beside the embedding. Got samples of shape "
            f"{spec.shape}, which have none. Use passthrough='auto' or False."
        )
    return bool(passthrough)


def write_columns(samples, spec, out):
    """Write a table's samples as finite numbers that a linear model can use.

    Numbers as they were before the soft clip, 0 where missing, which is the middle of a scaled column; marks of those
    missing; categories as one-hot codes, of columns with more than 32 the 32 most frequent ones.

    Parameters
    ----------
    samples : ndarray of shape (n, columns)
        From the preprocessor.
    spec : SampleSpec
        What a sample is made of.
    out : ndarray of shape (n, ``spec.n_inputs``), float32
        Where to write.
    """
    first = spec.n_numbers
    numbers = out[:, :first]
    numbers[:] = samples[:, :first]
    if spec.clip is not None:
        unclip(numbers, spec.clip)
    np.copyto(numbers, 0.0, where=np.isnan(numbers))
    end = first + len(spec.missing)
    if spec.missing:
        out[:, first:end] = np.isnan(samples[:, list(spec.missing)])
    out[:, end:] = 0.0
    for codes, n_codes in zip(samples[:, first:].T, spec.categories, strict=True):
        width = embedding_width(n_codes)
        places = np.nan_to_num(codes).astype(np.int64) - 2  # behind the codes of missing and of unseen values
        rows = np.flatnonzero((places >= 0) & (places < width))
        out[rows, end + places[rows]] = 1.0
        end += width


def unclip(numbers, clip):
    """Undo a soft clip in place, as far as `WIDEST`.  # (n, n_numbers), float32"""
    numbers /= np.float32(clip)
    bound = np.float32(WIDEST / math.hypot(clip, WIDEST))
    np.clip(numbers, -bound, bound, out=numbers)
    numbers *= np.float32(clip) / np.sqrt(1 - np.square(numbers))


@dataclass(frozen=True)
class Output:
    """How the output of `transform` is laid out and scaled.

    Parameters
    ----------
    width : int
        Of the encoder's output.
    scale : ndarray of shape (width,), float32, or None, default=None
        What each of its coordinates is multiplied by; None leaves them, and puts nothing beside them.
    column_scale : ndarray of shape (``spec.n_inputs``,), float32, or None, default=None
        What each column beside them is multiplied by.
    """

    width: int
    scale: np.ndarray | None = None
    column_scale: np.ndarray | None = None

    @property
    def n_features(self):
        """Width of what `transform` returns."""
        return self.width + (0 if self.column_scale is None else len(self.column_scale))

    def of(self, embedder, samples):
        """Embed samples.

        Parameters
        ----------
        embedder : BarlowTwinsEmbedder
            The fitted embedder.
        samples : ndarray or lazy samples of shape (n, *sample_shape)
            From its preprocessor.

        Returns
        -------
        output : ndarray of shape (n, n_features), float32
        """
        embed_here = partial(
            embed, embedder.encoder_, samples, embedder.precision, embedder.n_jobs, int(embedder.verbose)
        )
        if self.scale is None:
            return embed_here()
        output = np.empty((len(samples), self.n_features), dtype=np.float32)
        embedding, columns = output[:, : self.width], output[:, self.width :]
        embed_here(out=embedding)
        embedding *= self.scale
        write_columns(samples, embedder.preprocessor_.spec_, columns)
        columns *= self.column_scale
        return output


def learn_output(embedding, samples, spec: SampleSpec):
    """Scales by which the embedding and the columns beside it have their total variances.

    Each coordinate of the embedding, and each number, gets the same variance as its neighbours; marks and one-hot codes
    keep theirs, so that a rare category weighs little.

    Parameters
    ----------
    embedding : ndarray of shape (rows, width), float32
        Of some training rows.
    samples : ndarray of shape (rows, columns), float32
        These rows.
    spec : SampleSpec
        What they are.

    Returns
    -------
    output : Output
    """
    columns = np.empty((len(samples), spec.n_inputs), dtype=np.float32)
    write_columns(samples, spec, columns)
    numbers = np.arange(spec.n_inputs) < spec.n_numbers
    return Output(
        embedding.shape[1],
        balanced(embedding, np.full(embedding.shape[1], True), EMBEDDING_VARIANCE),
        balanced(columns, numbers, COLUMN_VARIANCE),
    )


def balanced(Z, standardized, total_variance):
    """Scales of columns, for a total variance.

    Parameters
    ----------
    Z : ndarray of shape (rows, d)
        The columns.
    standardized : ndarray of shape (d,), bool
        Which of them are to have the same variance as each other.
    total_variance : float
        Of the scaled columns.

    Returns
    -------
    scale : ndarray of shape (d,), float32
        1 for a constant column.
    """
    deviation = Z.std(0, dtype=np.float64)
    varies = deviation > 1e-6
    scale = np.where(standardized & varies, 1 / np.where(varies, deviation, 1.0), 1.0)
    total = np.square(deviation * scale)[varies].sum()
    return np.where(varies, scale * np.sqrt(total_variance / max(total, 1e-12)), 1.0).astype(np.float32)
