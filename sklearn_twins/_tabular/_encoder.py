"""What encoders of tables have in common: the stem in front, the width asked for behind, expanded numbers."""

from sklearn.utils._param_validation import HasMethods, StrOptions
from torch import nn

from .._parts._component import Component
from .._parts._initialize import build_on_meta, initialize
from .._parts._validation import check_call, check_instance, check_part
from ._numeric_embeddings import EXPANSIONS, resolve_expansion
from ._spec import TableSpec
from ._stem import TableStem

EXPANSION_CONSTRAINT = [StrOptions(set(EXPANSIONS)), HasMethods(["build"]), None]


def check_table(component, spec):
    """Refuse to encode images as rows of a table."""
    if not isinstance(spec, TableSpec):
        raise ValueError(
            f"encoder={component!r} is for tables, samples of shape (columns,). Got samples of shape {spec.shape}. For "
            "images use encoder='auto', 'convnet', 'resnet18', 'resnet50' or 'timm:NAME'."
        )


class TableEncoder(Component):
    """An encoder of tables with the parameter `expansion`: what each number is expanded by first.

    Subclasses say what stands between the stem and the embedding, in `_layers(width_in) -> (list of nn.Module, width)`.
    """

    def _layers(self, width_in):
        """Layers behind the stem, and the width of their output."""
        raise NotImplementedError

    def check(self):
        """Refuse hyper-parameters out of range, those of the expansion too.

        Returns
        -------
        self : TableEncoder
            The object itself.

        Raises
        ------
        InvalidParameterError
            A `ValueError` that names the parameter and what is allowed.
        """
        super().check()
        check_instance(self.expansion, f"expansion of {type(self).__name__}")
        check_part(self.expansion)
        if hasattr(self.expansion, "build"):
            check_call(self.expansion.build, f"expansion.build of {type(self).__name__}", "edges")
        return self

    def set_params(self, **params):
        """Set parameters, of the expansion too: ``expansion__width=4``. A name becomes its component first.

        Parameters
        ----------
        **params : dict
            Parameters of the encoder, or ``expansion__parameter``.

        Returns
        -------
        self : TableEncoder
            The object itself.
        """
        super().set_params(**{name: value for name, value in params.items() if "__" not in name})
        nested = {name: value for name, value in params.items() if "__" in name}
        if nested and self.expansion in EXPANSIONS:
            self.expansion = resolve_expansion(self.expansion)
        return super().set_params(**nested)

    def build(self, spec, n_components, generator):
        """Build the module with its initial weights.

        Parameters
        ----------
        spec : SampleSpec
            What the samples are.
        n_components : int or None
            Width of the embedding: one linear layer more leads to it. None for the encoder's own width.
        generator : torch.Generator
            Source of the initial weights, on the CPU.

        Returns
        -------
        encoder : nn.Module
            (batch, features) -> (batch, n_components).

        Raises
        ------
        ValueError
            If the samples are no rows of a table, or numbers are to be expanded and the spec does not have their edges.
        """
        check_table(self, spec)

        def make():
            stem = TableStem(spec, self.expansion)
            layers, width = self._layers(stem.width)
            if n_components is not None:
                layers.append(nn.Linear(width, n_components))
            return nn.Sequential(stem, *layers)

        return initialize(build_on_meta(make), generator)
