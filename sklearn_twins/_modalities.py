"""The roles of an embedder, the names they know and what these stand for, and each modality's defaults."""

from dataclasses import dataclass, field
from importlib import import_module

from sklearn.utils import get_tags
from sklearn.utils._param_validation import HasMethods, StrOptions

from ._components import is_component


class Names(StrOptions):
    """The names that a role knows, as scikit-learn's constraint of a parameter.

    Parameters
    ----------
    role : Role
        Whose names.
    """

    def __init__(self, role):
        super().__init__({"auto", *role.names})
        self.role = role

    def is_satisfied_by(self, val):
        """Whether `val` is one of the names, or one of a family's."""
        return super().is_satisfied_by(val) or (isinstance(val, str) and self.role.knows(val))

    def __str__(self):
        families = "".join(f" or '{family}:NAME'" for family in self.role.families)
        return super().__str__() + families


@dataclass(frozen=True)
class Role:
    """What a parameter that takes a part accepts.

    Parameters
    ----------
    parameter : str
        Name of the embedder's parameter.
    room : str
        Subpackage in which the components live. It is imported when a name is resolved, so
        that knowing the names costs no import of torch.
    names : dict of str to str or tuple
        Short name -> what makes the component: a class in the room, or a pair of one and its parameters.
    needs : tuple of str, default=()
        Methods that a component of this role has.
    takes_callables : bool, default=False
        Whether any callable (a `torch.nn.Module` is one) will do.
    families : dict of str to str, default={}
        Names that go on behind a colon, ``"timm:resnet18"``: what stands before it -> class in the room, which is
        given what stands behind.
    """

    parameter: str
    room: str
    names: dict
    needs: tuple = ()
    takes_callables: bool = False
    families: dict = field(default_factory=dict)

    @property
    def constraint(self):
        """The role as scikit-learn's parameter constraints."""
        kinds = [Names(self)]
        if self.needs:
            kinds.append(HasMethods(list(self.needs)))
        if self.takes_callables:
            kinds.append(callable)
        return kinds

    def resolve(self, value):
        """A name -> a new component with its defaults; anything else as it is.

        Raises
        ------
        ValueError
            If the name is unknown.
        """
        if not isinstance(value, str):
            return value
        if not self.knows(value):
            families = "".join(f", '{family}:NAME'" for family in self.families)
            raise ValueError(
                f"{self.parameter}={value!r} is not known. Use 'auto', one of {sorted(self.names)}{families}, or a "
                f"component of sklearn_twins.{self.room}."
            )
        room = import_module(f"sklearn_twins.{self.room}")
        family, _, name = value.partition(":")
        if name:
            return getattr(room, self.families[family])(name)
        made_by = self.names[value]
        maker, params = (made_by, {}) if isinstance(made_by, str) else made_by
        return getattr(room, maker)(**params)

    def knows(self, name):
        """Whether a name is one of the role's, "auto" apart."""
        family, _, rest = name.partition(":")
        return name in self.names or (family in self.families and rest != "")


ROLES = {
    role.parameter: role
    for role in (
        Role(
            "preprocessor",
            "preprocessing",
            {"image": "ImagePreprocessor", "table": "TablePreprocessor"},
            needs=("fit_transform", "transform"),
        ),
        Role(
            "augmentation",
            "augmentations",
            {
                "barlow_twins_pair": "barlow_twins_pair",
                "gaussian_noise": "GaussianNoise",
                "identity": "Identity",
                "image_views": "ImageViews",
                "marginal_corruption": "MarginalCorruption",
                "masking": "Masking",
                "mixup": "Mixup",
            },
            takes_callables=True,
        ),
        Role(
            "encoder",
            "networks",
            {
                "convnet": "ConvNetEncoder",
                "mlp": "MLPEncoder",
                "resnet": "ResNetEncoder",
                "resnet18": ("ImageResNetEncoder", {"depth": 18}),
                "resnet50": ("ImageResNetEncoder", {"depth": 50}),
            },
            needs=("build",),
            takes_callables=True,
            families={"timm": "TimmEncoder"},
        ),
        Role("projector", "networks", {"identity": "IdentityProjector", "mlp": "MLPProjector"}, needs=("build",)),
        Role(
            "objective",
            "objectives",
            {
                "barlow_twins": "BarlowTwins",
                "hsic": "HSIC",
                "info_nce": "InfoNCE",
                "mixed_barlow_twins": "MixedBarlowTwins",
                "ssl_hsic": "SSLHSIC",
                "vicreg": "VICReg",
            },
            takes_callables=True,
        ),
    )
}


@dataclass(frozen=True)
class Modality:
    """What "auto" means for one kind of sample.

    Parameters
    ----------
    preprocessor, augmentation, encoder, projector, objective : str
        A name for each role.
    steps : int
        Optimizer steps that `max_epochs` is chosen for.
    epochs : tuple of (int, int)
        Bounds of it.
    """

    preprocessor: str
    augmentation: str
    encoder: str
    projector: str = "mlp"
    objective: str = "barlow_twins"
    steps: int = 1_000
    epochs: tuple = (5, 200)


MODALITIES = {
    "image": Modality(
        preprocessor="image", augmentation="image_views", encoder="convnet", steps=5_000, epochs=(20, 100)
    ),
    "tabular": Modality(preprocessor="table", augmentation="marginal_corruption", encoder="mlp"),
}


def resolve(parameter, value, modality):
    """What a role's parameter stands for: "auto" and names become new components.

    Parameters
    ----------
    parameter : str
        Name of the role.
    value : str, component or callable
        What the user gave.
    modality : str
        Whose defaults "auto" means.

    Returns
    -------
    part : component or callable
    """
    if isinstance(value, str) and value == "auto":
        if modality not in MODALITIES:
            raise ValueError(f"modality={modality!r} is not known. Use one of {sorted(MODALITIES)}.")
        value = getattr(MODALITIES[modality], parameter)
    return ROLES[parameter].resolve(value)


def unfold(embedder, parameters):
    """Put components where names stand, so that their own parameters can be set.

    Parameters
    ----------
    embedder : BarlowTwinsEmbedder
        Its roles are changed.
    parameters : set of str
        Whose parts; what is no role is left alone.

    Raises
    ------
    ValueError
        If a part is neither a name nor a component.
    """
    for parameter in parameters - set(ROLES):
        part = getattr(embedder, parameter, embedder)
        if not is_component(part):
            raise ValueError(f"{parameter}={part!r} has no parameters to set. Set {parameter} itself.")
    for parameter in parameters & set(ROLES):
        part = getattr(embedder, parameter)
        if isinstance(part, str):
            setattr(embedder, parameter, resolve(parameter, part, embedder.modality))
        elif not is_component(part):
            raise ValueError(
                f"{parameter}={part!r} has no parameters to set. Give {parameter} a name or a component "
                f"of sklearn_twins.{ROLES[parameter].room}."
            )


def input_tags(preprocessor, modality):
    """What X may be, in scikit-learn's tags: the preprocessor says it, be it a name, a component, or nothing valid."""
    if not (is_component(preprocessor) and hasattr(preprocessor, "__sklearn_tags__")):
        known = isinstance(preprocessor, str) and ROLES["preprocessor"].knows(preprocessor)
        default = MODALITIES.get(modality, MODALITIES["tabular"]).preprocessor
        preprocessor = ROLES["preprocessor"].resolve(preprocessor if known else default)
    return get_tags(preprocessor).input_tags
