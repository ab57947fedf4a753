"""Cuts in time: a random part of each clip, the same for both of its views."""

import torch

from .._parts._augmentation import compiled_by, view_of
from .._parts._two_views import make_views

NO_SWAPS = (
    "Values of single places cannot be taken from other clips, whose sounds are elsewhere. For audio use "
    "augmentation='auto', or AudioMixup to mix whole clips."
)


def cut(x, n_frames, generator):
    """Cut a random part out of each spectrogram; shorter ones are continued with zeros, the mean of all frames.

    Shape
    -----
    x : (batch, bands, frames), NaN behind the end of a clip; returns (batch, bands, n_frames), float32
    """
    if x.shape[2] > n_frames:
        lengths = (~x[:, 0].isnan()).sum(1)  # (batch,)
        u = torch.rand(len(x), generator=generator, device=x.device)
        starts = (u * ((lengths - n_frames).clamp_(min=0) + 1)).long()
        places = starts[:, None] + torch.arange(n_frames, device=x.device)  # (batch, n_frames)
        x = x.gather(2, places[:, None].expand(-1, x.shape[1], -1))
    x = x.float().nan_to_num(0.0)
    return torch.nn.functional.pad(x, (0, n_frames - x.shape[2])) if x.shape[2] < n_frames else x


class CutData:
    """All training clips, of which rows are cut when they are taken.

    Parameters
    ----------
    data : Tensor or HostRows of shape (n, bands, frames)
        The clips.
    n_frames : int
        Frames of a cut.
    generator : torch.Generator
        Source of the cuts' places.
    """

    def __init__(self, data, n_frames, generator):
        self.data, self.n_frames, self.generator = data, n_frames, generator
        self.shape = (len(data), data.shape[1], n_frames)

    def __len__(self):
        return len(self.data)

    def gather(self, dim, index):
        """Refuse to take single values from other clips."""
        raise ValueError(NO_SWAPS)

    def __getitem__(self, rows):
        return cut(self.data[rows], self.n_frames, self.generator)


class CutViews:
    """An augmentation of cuts, as one of whole clips: one cut of a clip serves both of its views.

    Parameters
    ----------
    augmentation : callable or Pair
        Bound augmentation of spectrograms of shape (batch, bands, n_frames).
    n_frames : int
        Frames of a cut.
    """

    def __init__(self, augmentation, n_frames):
        self.augmentation, self.n_frames = augmentation, n_frames

    def compiled_by(self, compiled):
        """Compile the slow parts of the augmentation."""
        return CutViews(compiled_by(self.augmentation, compiled), self.n_frames)

    def __call__(self, x, data, generator):
        """Make one view.

        Shape
        -----
        x : (batch, bands, frames); data : (n, bands, frames); returns (batch, bands, n_frames)
        """
        data = data if isinstance(data, CutData) else CutData(data, self.n_frames, generator)
        return view_of(self.augmentation, cut(x, self.n_frames, generator), data, generator)

    def make_both(self, first, second, data, generator):
        """Make both views; `second` is `first` itself unless it holds other rows.

        Shape
        -----
        first, second : (batch, bands, frames); returns 2 x (batch, bands, n_frames)
        """
        x = cut(first, self.n_frames, generator)
        partners = None if second is first else cut(second, self.n_frames, generator)
        return make_views(self.augmentation, x, CutData(data, self.n_frames, generator), generator, partners)
