"""The warning that a fit has ended badly."""


class CollapseWarning(UserWarning):
    """A fit has ended in an embedding that says little of its rows: the message gives the likely cause and a remedy."""
