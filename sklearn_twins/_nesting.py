"""Parameters of parts that are still names: `set_params` reaches into them, and makes them components first."""

from ._roles import unfold


class NestedParametersMixin:
    """How an embedder's nested parameters are set."""

    def set_params(self, **params):
        """Set parameters, of the parts too: ``augmentation__corruption_rate=0.4``.

        A name or "auto" in a role becomes its component first.

        Parameters
        ----------
        **params : dict
            Parameters of the embedder, or ``part__parameter``.

        Returns
        -------
        self : BarlowTwinsEmbedder
            The object itself.

        Raises
        ------
        ValueError
            If a name is unknown; the valid ones are listed.
        """
        super().set_params(**{name: value for name, value in params.items() if "__" not in name})
        nested = {name: value for name, value in params.items() if "__" in name}
        unfold(self, {name.partition("__")[0] for name in nested})
        return super().set_params(**nested)
