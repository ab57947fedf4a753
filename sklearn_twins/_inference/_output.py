"""The output of `transform`: the embedding and, next to it, scaled columns of the samples."""

from dataclasses import dataclass

import numpy as np

from .._modalities import record_of
from .._parts._user_encoder import ReadyEncoder
from ._embed import embed
from ._fold_batch_norm import fold_batch_norm

N_SCALE_ROWS = 2_048  # training rows from which scales are learnt


def passes_columns(passthrough, encoder, spec, n_components):
    """Whether `transform` puts columns next to the embedding.

    Parameters
    ----------
    passthrough : "auto" or bool
        The estimator's parameter. "auto" is True if samples have columns, `n_components` is None and the encoder is
        not the user's own module.
    encoder : component
        The resolved encoder.
    spec : SampleSpec
        ``spec_`` of the preprocessor.
    n_components : int or None
        The estimator's parameter.

    Raises
    ------
    ValueError
        If columns are asked for, and samples have none.
    """
    has_columns = record_of(spec).passthrough is not None
    if passthrough == "auto":
        return has_columns and n_components is None and not isinstance(encoder, ReadyEncoder)
    if passthrough and not has_columns:
        raise ValueError(
            f"passthrough={passthrough!r} puts columns of a table next to the embedding. Got samples of shape "
            f"{spec.shape}, which have none. Use passthrough='auto' or False."
        )
    return bool(passthrough)


@dataclass(frozen=True)
class Output:
    """Layout and scales of the output of `transform`.

    Parameters
    ----------
    width : int
        Width of the encoder's output.
    scale : ndarray of shape (width,), float32, or None, default=None
        Factor of each coordinate; None leaves the embedding as it is, without columns next to it.
    column_scale : ndarray of shape (n_columns,), float32, or None, default=None
        Factor of each column next to the embedding.
    """

    width: int
    scale: np.ndarray | None = None
    column_scale: np.ndarray | None = None

    @property
    def n_features(self):
        """Width of the output."""
        return self.width + (0 if self.column_scale is None else len(self.column_scale))

    @property
    def is_learnt(self):
        """Which columns of the output are coordinates of the embedding."""
        return np.arange(self.n_features) < self.width

    def compute(self, encoder, samples, spec, precision, n_jobs, verbose=0):
        """Embed samples, and write their columns next to the embedding.

        Parameters
        ----------
        encoder : nn.Module
            The trained encoder.
        samples : ndarray or lazy samples of shape (n, *sample_shape)
            From the preprocessor.
        spec : SampleSpec
            Their spec.
        precision, n_jobs, verbose
            See `embed`.

        Returns
        -------
        output : ndarray of shape (n, n_features), float32
        """
        if len(samples) == 0:
            return np.empty((0, self.n_features), dtype=np.float32)
        if self.scale is None:
            return embed(encoder, samples, spec, precision, n_jobs, verbose)
        output = np.empty((len(samples), self.n_features), dtype=np.float32)
        both = None if self.column_scale is None else with_columns(encoder, spec)
        if both is not None:
            embed(both, samples, spec, precision, n_jobs, verbose, out=output)
            output *= np.concatenate([self.scale, self.column_scale])
            return output
        embed(encoder, samples, spec, precision, n_jobs, verbose, out=output[:, : self.width])
        return self.finish(output, samples, spec)

    def finish(self, output, samples, spec):
        """Scale embeddings in place, and write the scaled columns next to them.

        Parameters
        ----------
        output : ndarray of shape (n, n_features), float32
            Its first columns hold the embeddings.
        samples, spec
            As in `compute`.

        Returns
        -------
        output : ndarray of shape (n, n_features), float32
        """
        output[:, : self.width] *= self.scale
        if self.column_scale is not None:
            columns = output[:, self.width :]
            record_of(spec).passthrough.write(samples, spec, columns)
            columns *= self.column_scale
        return output


def with_columns(encoder, spec):
    """The network of `transform` with the columns next to its output, if it computes them anyway; else None."""
    put_beside = record_of(spec).passthrough.put_beside
    return None if put_beside is None else put_beside(fold_batch_norm(encoder), spec)


def name_output(learnt, output, preprocessor, input_features):
    """Name the columns of the output.

    Parameters
    ----------
    learnt : list of str
        Names of the embedding's coordinates.
    output : Output
        Layout of the output.
    preprocessor : component
        Fitted.
    input_features : array-like of str or None
        Names of the columns of X.

    Returns
    -------
    names : ndarray of str objects
        The embedding's, then those of the columns next to it. A name that is taken gets a number: "age_2".
    """
    names = dict.fromkeys(learnt)
    columns = []
    if output.column_scale is not None:
        columns = record_of(preprocessor.spec_).passthrough.names(preprocessor, input_features)
    for name in columns:
        free, number = name, 2
        while free in names:
            free, number = f"{name}_{number}", number + 1
        names[free] = None
    return np.array(list(names), dtype=object)


def learn_output(embedding, samples, spec, variances=None):
    """Learn the scales that give the embedding and the columns their total variances.

    Each coordinate and each number gets the same variance as its neighbours. Marks and one-hot codes keep their own, so
    that a rare category has little weight.

    Parameters
    ----------
    embedding : ndarray of shape (rows, width), float32
        Embedding of some training rows.
    samples : ndarray of shape (rows, columns), float32
        These rows.
    spec : SampleSpec
        Their spec.
    variances : (float, float), default=None
        Total variances of the embedding and of the columns; None for those of the modality's record.

    Returns
    -------
    output : Output
    """
    passthrough = record_of(spec).passthrough
    columns = np.empty((len(samples), passthrough.count(spec)), dtype=np.float32)
    passthrough.write(samples, spec, columns)
    of_embedding, of_columns = passthrough.variances if variances is None else variances
    return Output(
        embedding.shape[1],
        balance(embedding, np.full(embedding.shape[1], True), of_embedding),
        balance(columns, passthrough.are_numbers(spec), of_columns),
    )


def balance(Z, to_standardize, total_variance):
    """Factors of columns that give them a total variance.

    Parameters
    ----------
    Z : ndarray of shape (rows, d)
        The columns.
    to_standardize : ndarray of shape (d,), bool
        Columns that get equal variances.
    total_variance : float
        Sum of the variances of the scaled columns.

    Returns
    -------
    scale : ndarray of shape (d,), float32
        1 for a constant column.
    """
    deviation = Z.std(0, dtype=np.float64)
    varies = deviation > 1e-6
    scale = np.where(to_standardize & varies, 1 / np.where(varies, deviation, 1.0), 1.0)
    total = np.square(deviation * scale)[varies].sum()
    return np.where(varies, scale * np.sqrt(total_variance / max(total, 1e-12)), 1.0).astype(np.float32)
