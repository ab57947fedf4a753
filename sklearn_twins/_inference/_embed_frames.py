"""Embed each time step of samples, instead of samples as a whole."""

from functools import partial

from .._modalities import MODALITIES, record_of
from ._embed import embed
from ._fold_batch_norm import fold_batch_norm


def embed_frames(encoder, samples, spec, precision, n_jobs):
    """Embed each step of samples.

    Parameters
    ----------
    encoder : nn.Module
        The trained encoder.
    samples : ndarray or lazy samples of shape (n, *sample_shape)
        From the preprocessor.
    spec : SampleSpec
        Their spec.
    precision, n_jobs
        Parameters of the estimator.

    Returns
    -------
    frames : ndarray of shape (n, n_frames, n_components), float32
        NaN where a step is missing.
    times : ndarray of shape (n_frames,)
        Times of the steps.

    Raises
    ------
    ValueError
        If samples have no steps, or the encoder does not keep them apart.
    """
    record = record_of(spec)
    if record.embed_frames is None:
        fitting = " or ".join(f"modality={name!r}" for name, other in MODALITIES.items() if other.embed_frames)
        raise ValueError(
            f"transform_frames embeds each step of samples with a time axis, of {fitting}. Got samples of shape "
            f"{spec.shape} (modality={record.name!r}); use transform."
        )
    network = fold_batch_norm(encoder)
    return record.embed_frames(network, samples, spec, partial(embed, precision=precision, n_jobs=n_jobs))
