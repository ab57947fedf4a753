"""Clips: spectrograms of unequal length, end to end in one array."""

import numpy as np


class Clips:
    """Log-mel spectrograms of unequal length, as lazy samples.

    ``clips[rows]`` are rectangles with NaN behind a clip's end, as training takes them; `exact` gives clips of one
    length without padding, as `transform` does.

    Parameters
    ----------
    frames : ndarray of shape (total, bands), float32 or float16
        The frames of all clips.
    lengths : ndarray of shape (n,), int64
        Number of frames of each clip.
    longest : int, default=None
        Frames of the rectangles; None for those of the longest clip. Longer clips keep their middle.
    """

    def __init__(self, frames, lengths, longest=None):
        self.frames, self.lengths, self.most = frames, lengths, longest
        self.starts = np.cumsum(lengths) - lengths
        self.longest = int(max(lengths, default=1) if longest is None else min(longest, max(lengths, default=1)))
        self.shape, self.dtype = (len(lengths), frames.shape[1], self.longest), frames.dtype
        self.nbytes = frames.nbytes

    def __len__(self):
        return len(self.lengths)

    def __getitem__(self, index):
        """Take some clips as rectangles.

        Parameters
        ----------
        index : slice or ndarray of int
            Numbers of the clips.

        Returns
        -------
        rectangles : ndarray of shape (rows, bands, longest)
            NaN behind the end of a clip.
        """
        lengths = self.lengths[index]
        starts = self.starts[index] + np.maximum(0, lengths - self.longest) // 2
        steps = np.arange(self.longest)
        within = steps < lengths[:, None]  # (rows, longest)
        rectangles = self.frames[np.where(within, starts[:, None] + steps, 0)]  # (rows, longest, bands)
        rectangles[~within] = np.nan
        return rectangles.transpose(0, 2, 1)

    def exact(self, index):
        """Take clips of one length as they are.

        Parameters
        ----------
        index : ndarray of int
            Numbers of clips with the same number of frames.

        Returns
        -------
        spectrograms : ndarray of shape (rows, bands, frames)
        """
        places = self.starts[index, None] + np.arange(self.lengths[index[0]])
        return self.frames[places].transpose(0, 2, 1)

    def subset(self, index):
        """Take some clips as they are.

        Parameters
        ----------
        index : ndarray of int
            Numbers of the clips.

        Returns
        -------
        clips : Clips
        """
        lengths = self.lengths[index]
        within = np.arange(lengths.sum()) - np.repeat(np.cumsum(lengths) - lengths, lengths)
        return Clips(self.frames[np.repeat(self.starts[index], lengths) + within], lengths, self.most)

    def joined(self, other):
        """These clips, and behind them those of other ones.  # Clips"""
        frames, lengths = (np.concatenate([getattr(c, name) for c in (self, other)]) for name in ("frames", "lengths"))
        return Clips(frames, lengths, self.most)

    def equal_blocks(self, size):
        """Divide the clips into blocks of one length each.

        Parameters
        ----------
        size : int
            Most clips in a block.

        Returns
        -------
        blocks : list of ndarray of int
            Numbers of the clips in each block.
        """
        order = np.argsort(self.lengths, kind="stable")
        groups = np.split(order, np.flatnonzero(np.diff(self.lengths[order])) + 1)
        return [group[i : i + size] for group in groups if len(group) for i in range(0, len(group), size)]

    def raw_blocks(self):
        """Iterate over the lengths and the frames, for digests."""
        yield self.lengths
        step = max(1, 2**24 // max(1, self.frames[:1].nbytes))
        for start in range(0, len(self.frames), step):
            yield self.frames[start : start + step]
