"""Roles: the parameters that take a part, the names each one knows, and how a part is resolved and checked."""

import contextlib
import inspect
import re
from dataclasses import dataclass
from numbers import Number

import numpy as np
from sklearn.base import clone
from sklearn.utils import get_tags
from sklearn.utils._param_validation import HasMethods, StrOptions

from ._modalities import DEFAULT, MODALITIES
from ._parts._component import Component
from ._parts._parameter_names import find_similar
from ._parts._plain_values import to_plain
from ._parts._validation import check_call, check_instance, check_part, is_component, is_module

OTHER_KINDS = "docs/extending.md shows how to embed other kinds of data"


class OneOf(StrOptions):
    """A parameter constraint: a string that is known when the check is made.

    Parameters
    ----------
    list_names : callable
        Without arguments, returns the known strings.
    is_known : callable, default=None
        ``is_known(name) -> bool`` for names that are not listed one by one.
    families : callable, default=None
        Without arguments, returns the prefixes of such names, for messages.
    hint : str, default=""
        End of the message.
    """

    def __init__(self, list_names, is_known=None, families=list, hint=""):
        super().__init__({"auto"})
        self.list_names, self.is_known, self.families, self.hint = list_names, is_known, families, hint

    def is_satisfied_by(self, val):
        """Whether `val` is known."""
        if not isinstance(val, str):
            return False
        return val in self.list_names() or (self.is_known is not None and self.is_known(val))

    def __str__(self):
        families = "".join(f" or '{family}:NAME'" for family in self.families())
        return f"{StrOptions(set(self.list_names()))}{families}{self.hint}"


MODALITY_CONSTRAINT = [OneOf(lambda: MODALITIES, hint=f" ({OTHER_KINDS})")]


def projectors():
    """Projectors by name."""
    from ._parts._projector import IdentityProjector, MLPProjector

    return {"identity": IdentityProjector, "mlp": MLPProjector}


def objectives():
    """Objectives by name."""
    from .objectives import HSIC, SSLHSIC, BarlowTwins, InfoNCE, MixedBarlowTwins, VICReg

    return {
        "barlow_twins": BarlowTwins,
        "hsic": HSIC,
        "info_nce": InfoNCE,
        "mixed_barlow_twins": MixedBarlowTwins,
        "ssl_hsic": SSLHSIC,
        "vicreg": VICReg,
    }


def shared_augmentations():
    """Augmentations for every modality by name."""
    from ._parts._two_views import Identity

    return {"identity": Identity}


@dataclass(frozen=True)
class Role:
    """A parameter that takes a part: a name, a component or, in some roles, any callable.

    Parameters
    ----------
    parameter : str
        Name of the embedder's parameter.
    room : str
        Public module of its components, for messages.
    shared : callable, default=dict
        Without arguments, returns the parts that all modalities share: name -> callable that makes one.
    default : str or None, default=None
        Name that "auto" stands for, unless the modality has one.
    needs : tuple of str, default=()
        Methods that a component of this role has.
    called_with : tuple of str, default=()
        Arguments that a plain callable in this role receives; empty if the role takes no plain callables.
    """

    parameter: str
    room: str
    shared: callable = dict
    default: str | None = None
    needs: tuple = ()
    called_with: tuple = ()

    @property
    def constraint(self):
        """The role as scikit-learn's parameter constraints."""
        constraints = [OneOf(lambda: {"auto", *self.parts()}, self.knows, lambda: self.families())]
        if self.needs:
            constraints.append(HasMethods(list(self.needs)))
        if self.called_with:
            constraints.append(callable)
        return constraints

    def parts(self):
        """Parts of all modalities in this role: name -> callable that makes one."""
        found = dict(self.shared())
        for record in MODALITIES.values():
            found |= record.parts(self.parameter)
        return found

    def families(self):
        """Families of names, "timm:NAME": prefix -> callable."""
        found = {}
        if self.parameter == "encoder":
            for record in MODALITIES.values():
                found |= record.encoder_families()
        return found

    def knows(self, name):
        """Whether a name is one of this role's, "auto" apart."""
        family, _, rest = name.partition(":")
        return name in self.parts() or (rest != "" and family in self.families())

    def resolve(self, value, modality):
        """Turn "auto" or a name into a new component with default parameters; return anything else as it is.

        Parameters
        ----------
        value : str, component or callable
            The parameter's value.
        modality : str
            Whose default "auto" stands for.

        Returns
        -------
        part : component or callable

        Raises
        ------
        ValueError
            If the name or the modality is unknown.
        """
        if not isinstance(value, str):
            return value
        if value == "auto":
            if modality not in MODALITIES:
                raise ValueError(f"modality={modality!r} is not known. Use one of {sorted(MODALITIES)}; {OTHER_KINDS}.")
            value = MODALITIES[modality].defaults.get(self.parameter, self.default)
        if not self.knows(value):
            families = "".join(f", '{family}:NAME'" for family in self.families())
            raise ValueError(
                f"{self.parameter}={value!r} is not known. Use 'auto', one of {sorted(self.parts())}{families}, or a "
                f"component of sklearn_twins.{self.room}."
            )
        family, _, name = value.partition(":")
        return self.families()[family](name) if name else self.parts()[value]()


ROLES = {
    role.parameter: role
    for role in (
        Role("preprocessor", "preprocessing", needs=("fit_transform", "transform")),
        Role("augmentation", "augmentations", shared_augmentations, called_with=("x", "data", "generator")),
        Role("encoder", "networks", needs=("build",), called_with=("spec",)),
        Role("projector", "networks", projectors, default="mlp", needs=("build",)),
        Role("objective", "objectives", objectives, default="barlow_twins", called_with=("z_a", "z_b")),
    )
}


def resolve_part(parameter, value, modality):
    """Resolve and check the value of a role's parameter.

    Parameters
    ----------
    parameter : str
        Name of the role.
    value : str, component, torch.nn.Module or callable
        The parameter's value.
    modality : str
        Whose default "auto" stands for.

    Returns
    -------
    part : component or callable
        A copy, if it is a component.

    Raises
    ------
    ValueError, TypeError
        If it is unknown, out of range or of the wrong kind.
    """
    role = ROLES[parameter]
    part = role.resolve(value, modality)
    if parameter in ("augmentation", "objective") and not callable(part):
        raise TypeError(
            f"{parameter}={value!r} must be 'auto', a name, a component of sklearn_twins.{role.room} or a callable."
        )
    takes_class = parameter == "encoder"  # a class builds a module, as a function does; elsewhere it is refused below
    if role.called_with and not is_component(part) and (takes_class or not isinstance(part, type)):
        check_call(part, parameter, *role.called_with)
    if parameter == "encoder" and (is_module(part) or not hasattr(part, "build")):
        from ._parts._user_encoder import ReadyEncoder

        part = ReadyEncoder(part)  # copies the module when it builds
    elif is_component(part):
        part = clone(to_plain(part))
    check_instance(part, parameter)
    return check_part(part)


def component_in(parameter, value, modality):
    """The component to set nested parameters on: a name or "auto" becomes one.

    Raises
    ------
    ValueError
        If the value is neither a name nor a component.
    """
    if isinstance(value, str) and parameter in ROLES:
        return ROLES[parameter].resolve(value, modality)
    if is_component(value):
        return value
    remedy = f"Set {parameter} itself."
    if parameter in ROLES:
        remedy = f"Give {parameter} a name or a component of sklearn_twins.{ROLES[parameter].room}."
    raise ValueError(f"{parameter}={value!r} has no parameters to set. {remedy}")


def list_nested(values):
    """List the names of all nested parameters, those of the present parts first.

    Parameters
    ----------
    values : dict of str to object
        Values of the estimator's parameters.

    Returns
    -------
    names : dict of str to str
        Name -> name of the part that has it; empty for the present parts.
    """
    names, roles = {}, [role for role in ROLES.values() if role.parameter in values]
    for role in roles:
        with contextlib.suppress(ValueError):  # if it is a module or unknown
            present = component_in(role.parameter, values[role.parameter], values.get("modality", DEFAULT))
            names |= {f"{role.parameter}__{name}": "" for name in present.get_params()}
    for role in roles:
        for part, make in role.parts().items():
            for name in make().get_params():
                names.setdefault(f"{role.parameter}__{name}", part)
    return names


def suggest(name, values):
    """Suggest parameters of the estimator or of its parts for an unknown name; an empty string if none is similar."""
    nested = list_nested(values)
    calls = []
    for full in find_similar(name, [*values, *nested]):
        part = f" with {full.partition('__')[0]}={nested[full]!r}" if nested.get(full) else ""
        calls.append(f"set_params({full}=...){part}" if full in nested else full)
    return f"Did you mean {' or '.join(calls)}?" if calls else ""


def suggest_or_list(name, values):
    """Suggest parameters for an unknown name, or list the estimator's own."""
    return suggest(name, values) or (
        f"Valid parameters are: {list(values)}; and those of parts, by set_params(part__parameter=...)."
    )


def plan_nested(name_of_estimator, values, params, describe=suggest_or_list):
    """Check the names of parameters before any is set.

    Parameters
    ----------
    name_of_estimator : str
        For messages.
    values : dict of str to object
        The estimator's parameters as they are.
    params : dict of str to object
        What is to be set: parameters of the estimator, and ``part__parameter``.
    describe : callable, default=suggest_or_list
        ``describe(name, values) -> str``, what messages say of an unknown name.

    Returns
    -------
    parts : dict of str to component
        The components to set nested parameters on.

    Raises
    ------
    ValueError
        If a name is unknown.
    """
    new, nested = {**values, **{name: value for name, value in params.items() if name in values}}, {}
    for name, value in params.items():
        head, _, rest = name.partition("__")
        if head not in values:
            hint = describe(name, new)
            raise ValueError(f"Invalid parameter {name!r} for estimator {name_of_estimator}. {hint}")
        if rest:
            nested.setdefault(head, {})[rest] = value
    parts = {head: component_in(head, new[head], new.get("modality", DEFAULT)) for head in nested}
    for head, part in parts.items():
        try:
            clone(part).set_params(**nested[head])
        except AttributeError:  # a parameter of something that has none
            names = ", ".join(f"{head}__{name}" for name in nested[head] if "__" in name)
            raise ValueError(f"{head}={part!r} has no such parameters to set: {names}.") from None
        except ValueError as error:
            unknown = re.match(r"Invalid parameter '(\w+)'", str(error))
            hint = suggest(f"{head}__{unknown[1]}", new) if unknown else ""
            raise ValueError(f"{error} {hint}".rstrip()) from error
    return parts


def input_tags(preprocessor, modality):
    """scikit-learn's tags of X, from the preprocessor; an invalid one counts as the modality's default."""
    if not (is_component(preprocessor) and hasattr(preprocessor, "__sklearn_tags__")):
        role = ROLES["preprocessor"]
        known = isinstance(preprocessor, str) and role.knows(preprocessor)
        modality = modality if modality in MODALITIES else DEFAULT
        preprocessor = role.resolve(preprocessor if known else "auto", modality)
    return get_tags(preprocessor).input_tags


def check_owner(preprocessor):
    """Refuse a preprocessor that cannot check X in the embedder's name."""
    if "owner" not in inspect.signature(preprocessor.transform).parameters:
        raise TypeError(
            f"preprocessor={preprocessor!r} must have fit_transform(X, owner=...) and transform(X, owner=...): owner "
            "is the estimator that error messages name. To use a transformer of scikit-learn, put it before the "
            "embedder in a Pipeline."
        )
    return preprocessor


def check_module(parameter, module):
    """Refuse a component that builds anything but a torch module."""
    if not is_module(module):
        raise TypeError(f"The build method of {parameter} must return a torch.nn.Module. Got {module!r}.")
    return module


def is_third_party(part):
    """Whether a part is or holds other people's code, which may draw from torch's global generators."""
    values = (part, *part.get_params().values()) if isinstance(part, Component) else ()
    return not values or any(map(_draws_globally, values))


def _draws_globally(value):
    if not isinstance(value, Component):
        return callable(value)
    return getattr(value, "draws_globally", False) or not type(value).__module__.startswith(f"{__package__}.")


def check_unchanged(parameter, was, now):
    """Refuse to continue training with another part than before.

    Parameters
    ----------
    parameter : str
        Name for the message.
    was, now : object
        The part before, and now.

    Raises
    ------
    ValueError
        If they differ.
    """
    if not is_same(was, now):
        raise ValueError(
            f"{parameter} cannot change when training goes on: it was {was}, and is now {now}. "
            f"Set it back, or clone the estimator and start anew."
        )


def is_same(was, now):
    """Whether two parts are equal: of one type with the same parameters; for functions and modules, by content."""
    if was is now:
        return True
    if isinstance(was, (list, tuple)) and isinstance(now, (list, tuple)):
        return len(was) == len(now) and all(map(is_same, was, now))
    if isinstance(was, Number) and isinstance(now, Number):
        return bool(was == now)
    if is_component(was) and type(was) is type(now):
        before, after = was.get_params(deep=False), now.get_params(deep=False)
        return before.keys() == after.keys() and all(is_same(before[name], after[name]) for name in before)
    if is_module(was) or callable(was):
        return type(was) is type(now) and does_the_same(was, now)
    if any(hasattr(value, "__array__") for value in (was, now)):
        return np.array_equal(was, now)
    return type(was) is type(now) and bool(was == now)


def does_the_same(was, now):
    """Whether two functions or modules have the same content; by name if their content cannot be read."""
    from ._runtime._digest import IndistinctError, digest

    try:
        return digest(was) == digest(now)
    except IndistinctError:
        return getattr(was, "__qualname__", None) == getattr(now, "__qualname__", None)
