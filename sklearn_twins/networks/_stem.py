"""The first layer of every table encoder: missing values become zeros, with marks beside them."""

import torch
from torch import nn


class TableStem(nn.Module):
    """Table rows with NaN -> finite inputs of a network.

    A missing value becomes 0, the middle of its scaled column. Each column that had missing values in
    training adds a mark, 1 where the value is missing, so that the network can tell one from the other.

    Parameters
    ----------
    spec : SampleSpec
        Shape of a sample and the columns with missing values.

    Shape
    -----
    (batch, features), NaN where missing -> (batch, spec.n_inputs)
    """

    def __init__(self, spec):
        super().__init__()
        self.missing = list(spec.missing)

    def forward(self, x):
        if not self.missing:
            return torch.nan_to_num(x, nan=0.0)
        marks = torch.isnan(x[:, self.missing]).to(x.dtype)  # (batch, missing)
        return torch.cat([torch.nan_to_num(x, nan=0.0), marks], dim=1)  # (batch, n_inputs)
