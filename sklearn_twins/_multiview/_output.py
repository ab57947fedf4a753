"""The output of `transform` for several views: each view's embedding and columns, all views with equal variance."""

from dataclasses import dataclass

import numpy as np

from .._inference._embed import embed
from .._inference._output import Output, balance, learn_output
from .._parts._modality import VARIANCES
from .._parts._spec import SampleSpec

MIN_STD = 1e-6  # a projection that is constant


@dataclass(frozen=True)
class MultiViewOutput:
    """Layout and scales of the output of several views.

    Parameters
    ----------
    outputs : dict of str to Output
        For each view.
    fills : dict of str to ndarray of shape (n_features,)
        For each view, its mean output over training rows, which stands where it is missing.
    projected : dict of str to ndarray of shape (2, projection_dim)
        For each view, mean and standard deviation of its projections over training rows.
    """

    outputs: dict
    fills: dict
    projected: dict

    @property
    def n_features(self):
        """Width of the output."""
        return sum(output.n_features for output in self.outputs.values())

    @property
    def is_learnt(self):
        """Which columns of the output are coordinates of an embedding."""
        return np.concatenate([output.is_learnt for output in self.outputs.values()])

    @property
    def width(self):
        """Width of all embeddings."""
        return sum(output.width for output in self.outputs.values())

    def compute(self, encoder, samples, spec, precision, n_jobs, verbose=0):
        """Embed each view of samples.

        Parameters
        ----------
        encoder : ViewEncoders
            The trained encoders.
        samples : ndarray of shape (n, values)
            From the preprocessor.
        spec : MultiViewSpec
            Their spec; perhaps of some views only.
        precision, n_jobs, verbose
            See `embed`.

        Returns
        -------
        output : ndarray of shape (n, n_features), float32
        """
        networks = {view.name: net for view, net in zip(encoder.spec.views, encoder.networks, strict=True)}
        presence, blocks = spec.presence(samples), []
        for i, view in enumerate(spec.views):
            rows, output = presence[:, i], self.outputs[view.name]
            block = np.tile(self.fills[view.name], (len(samples), 1)) if not (rows.all() and len(rows)) else None
            if rows.any():
                own = np.ascontiguousarray(view.take(samples if block is None else samples[rows]))
                made = output.compute(networks[view.name], own, view.spec, precision, n_jobs, verbose)
                if block is None:
                    block = made
                else:
                    block[rows] = made
            blocks.append(block)
        return np.hstack(blocks)

    def project(self, encoder, samples, spec, precision, n_jobs):
        """Project one view into the space that all views share, each coordinate with mean 0 and variance 1.

        Parameters
        ----------
        encoder : ViewEncoders
            The trained encoders and projectors.
        samples : ndarray of shape (n, values)
            Samples of one view.
        spec : MultiViewSpec
            Their spec.
        precision, n_jobs
            See `embed`.

        Returns
        -------
        projections : ndarray of shape (n, projection_dim), float32
            NaN where the view is missing.
        """
        (view,) = spec.views
        i = [own.name for own in encoder.spec.views].index(view.name)
        mean, std = self.projected[view.name]
        rows = spec.presence(samples)[:, 0]
        projections = np.full((len(samples), len(mean)), np.nan, dtype=np.float32)
        if rows.any():
            own = np.ascontiguousarray(view.take(samples[rows]))
            embedding = embed(encoder.networks[i], own, view.spec, precision, n_jobs)
            projections[rows] = (apply(encoder.projector.networks[i], embedding, precision, n_jobs) - mean) / std
        return projections


def apply(projector, embedding, precision, n_jobs):
    """Projections of embedded rows, in blocks as an encoder's are."""
    return embed(projector, embedding, SampleSpec(embedding.shape[1:]), precision, n_jobs)


def learn_outputs(encoder, samples, spec, precision, n_jobs):
    """Learn the scales of each view from some training rows.

    Parameters
    ----------
    encoder : ViewEncoders
        Trained.
    samples : ndarray of shape (rows, values)
        Training rows.
    spec : MultiViewSpec
        Their spec.
    precision, n_jobs
        See `embed`.

    Returns
    -------
    output : MultiViewOutput
    """
    outputs, fills, projected, presence = {}, {}, {}, spec.presence(samples)
    networks = zip(spec.views, encoder.networks, encoder.projector.networks, strict=True)
    for i, (view, network, projector) in enumerate(networks):
        rows = np.ascontiguousarray(view.take(samples[presence[:, i]]))
        embedding = embed(network, rows, view.spec, precision, n_jobs)
        if view.passes_columns:
            output = learn_output(embedding, rows, view.spec, VARIANCES)
        else:
            width = embedding.shape[1]
            output = Output(width, balance(embedding, np.full(width, True), VARIANCES[0]))
        outputs[view.name] = output
        joined = np.empty((len(rows), output.n_features), dtype=np.float32)
        joined[:, : output.width] = embedding
        fills[view.name] = output.finish(joined, rows, view.spec).mean(0)
        projections = apply(projector, embedding, precision, n_jobs)
        projected[view.name] = np.stack([projections.mean(0), np.maximum(projections.std(0), MIN_STD)])
    return MultiViewOutput(outputs, fills, projected)
