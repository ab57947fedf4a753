"""An embedder's parts: what its parameters stand for, checked, and compared with what was trained before."""

import inspect
from dataclasses import dataclass, field
from importlib import import_module
from numbers import Number

import joblib
import numpy as np
import torch
from sklearn.base import clone
from sklearn.utils import get_tags
from sklearn.utils._param_validation import HasMethods, StrOptions

from ._modalities import MODALITIES
from ._parts._component import Component
from ._parts._user_encoder import ReadyEncoder
from ._parts._validation import check_call, check_instance, check_part, is_component, refuse_booleans
from ._runtime._tensors_as_arrays import to_arrays


def resolve_parts(embedder):
    """The components that an embedder's roles stand for, checked.

    Parameters
    ----------
    embedder : BarlowTwinsEmbedder
        Its parameters are read, not changed.

    Returns
    -------
    parts : dict of str to component or callable
    """
    refuse_booleans(embedder)
    check_functions(embedder)
    return {role: resolve_part(role, getattr(embedder, role), embedder.modality) for role in ROLES}


def check_functions(embedder):
    """Refuse an optimizer or a schedule of the user's that cannot be called as they will be."""
    if callable(embedder.optimizer):
        check_call(embedder.optimizer, "optimizer", "groups", lr=0.1, weight_decay=0.1)
    if isinstance(embedder.lr_schedule, type):
        raise TypeError(
            f"lr_schedule={embedder.lr_schedule!r} is a class. Give a function (step, n_steps) -> factor of the rate."
        )
    if callable(embedder.lr_schedule):
        check_call(embedder.lr_schedule, "lr_schedule", "step", "n_steps")


# What a callable of a role is called with.
CALLED_WITH = {"augmentation": ("x", "data", "generator"), "encoder": ("spec",), "objective": ("z_a", "z_b")}


def resolve_part(parameter, value, modality):
    """The component that a role's parameter stands for, checked."""
    part = resolve(parameter, value, modality)
    if parameter in ("augmentation", "objective") and not callable(part):
        raise TypeError(
            f"{parameter}={value!r} must be 'auto', a name, a component of sklearn_twins.{ROLES[parameter].room} or a "
            "callable."
        )
    takes_class = parameter == "encoder"  # which builds a module, as a function does; elsewhere refused below
    if parameter in CALLED_WITH and not is_component(part) and (takes_class or not isinstance(part, type)):
        check_call(part, parameter, *CALLED_WITH[parameter])
    if parameter == "encoder" and (isinstance(part, torch.nn.Module) or not hasattr(part, "build")):
        part = ReadyEncoder(part)  # which copies the module when it builds
    elif is_component(part):
        part = clone(part)
    check_instance(part, parameter)
    return check_part(part)


def check_owner(preprocessor):
    """Refuse a transformer that cannot check X in the embedder's name."""
    if "owner" not in inspect.signature(preprocessor.transform).parameters:
        raise TypeError(
            f"preprocessor={preprocessor!r} must have fit_transform(X, owner=...) and transform(X, owner=...), which "
            "check X in the owner's name. To use a transformer of scikit-learn's, put it before the embedder in a "
            "Pipeline."
        )
    return preprocessor


def check_module(parameter, module):
    """Refuse a component that builds anything but a module."""
    if not isinstance(module, torch.nn.Module):
        raise TypeError(f"The build method of {parameter} must return a torch.nn.Module. Got {module!r}.")
    return module


def is_foreign(part):
    """Whether a part is, or holds, code of others, which may do anything: draw from torch's global generators."""
    held = (part, *part.get_params().values()) if isinstance(part, Component) else ()
    return not held or any(map(is_code_of_others, held))


def is_code_of_others(value):
    """Whether a component is not the package's own, or draws globally; or whether anything else can be called."""
    if not isinstance(value, Component):
        return callable(value)
    return getattr(value, "draws_globally", False) or not type(value).__module__.startswith(f"{__package__}.")


def same(was, now):
    """Whether two parts are alike: of one type, with the same parameters; modules with the same weights."""
    if was is now:
        return True
    if isinstance(was, (list, tuple)) and isinstance(now, (list, tuple)):
        return len(was) == len(now) and all(map(same, was, now))
    if isinstance(was, (list, np.ndarray)) and isinstance(now, (list, np.ndarray)):
        return np.array_equal(was, now)
    if isinstance(was, Number) and isinstance(now, Number):
        return bool(was == now)
    if type(was) is not type(now):
        return False
    if isinstance(was, torch.nn.Module):
        return repr(was) == repr(now) and weights_hash(was) == weights_hash(now)
    if is_component(was):
        before, after = was.get_params(deep=False), now.get_params(deep=False)
        return before.keys() == after.keys() and all(same(before[name], after[name]) for name in before)
    if callable(was):
        return getattr(was, "__qualname__", None) == getattr(now, "__qualname__", None)
    return bool(was == now)


def weights_hash(module):
    """A hash of a module's parameters and buffers."""
    return joblib.hash(to_arrays(dict(module.state_dict())))


def check_unchanged(parameter, was, now):
    """Refuse to go on with another part than the one that was trained."""
    if not same(was, now):
        raise ValueError(
            f"{parameter} cannot change when training goes on: it was {was}, and is now {now}. "
            f"Set it back, or clone the estimator and start anew."
        )


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
