"""Python values as JSON and arrays, and back: only the types in this file, and objects only of listed classes."""

import json
import math
import re
from dataclasses import is_dataclass

import numpy as np

from .._exceptions import UnreadableFileError
from .._parts._plain_values import to_plain
from .._parts._stored_state import check_hashes, has_many_hashes
from ._safetensors import MAX_AXES, MAX_DEPTH, NAMES, is_sizes, most_brackets, parse_json

SPECIAL_FLOATS = {"nan": math.nan, "inf": math.inf, "-inf": -math.inf}
TIMES = re.compile(r"(datetime64|timedelta64)\[(Y|M|W|D|h|m|s|ms|us|ns|ps|fs|as)\]")
FEWEST_FLOATS = 4  # that become an array
MAX_TEXT = 2**24  # characters of a file's arrays of strings, in which each takes as many as the longest
FREE_FLOATS = 2**20  # and four times a file's numbers may become Python's
LARGE = 10**4_000  # Python reads integers of up to 4,300 digits
REMEDY = "save() writes no code and no objects but the package's own. Use pickle or joblib instead"


class Encoder:
    """Turn values into JSON, and collect the arrays among them, named after the places where they were found.

    Parameters
    ----------
    classes : dict of str to type
        Classes whose objects may be stored, by their names in files.

    Attributes
    ----------
    tensors : dict of str to ndarray
        The arrays.
    """

    def __init__(self, classes):
        self.names = {cls: name for name, cls in classes.items()}
        self.tensors, self._floats, self._n_characters = {}, {}, 0

    def to_json(self, values):
        """Turn a dict with strings as keys into JSON; errors name the key whose value cannot be stored.

        Raises
        ------
        TypeError
            If a value cannot be stored.
        """
        text = json.dumps({name: self.encode(value, name) for name, value in values.items()}, separators=(",", ":"))
        if text.count("[") + text.count("{") > most_brackets(text):  # those in strings, too
            raise TypeError(f"The values hold too many empty lists, tuples or dicts to be stored: {REMEDY}.")
        return text

    def encode(self, value, place, depth=0):
        """Encode one value, found at `place`."""
        if isinstance(value, (str, int, float)) and not isinstance(value, np.generic):
            value = to_plain(value)  # members of enums, for example
        kind = type(value)
        if depth > MAX_DEPTH // 4:  # each level takes up to three brackets
            raise TypeError(f"{place} is nested too deeply to be stored. {REMEDY}.")
        if value is None or kind in (bool, str) or (kind is int and abs(value) < LARGE):
            return value
        if kind is float:
            return value if math.isfinite(value) else {"float": str(value)}
        if kind in (list, tuple):
            return self._sequence(value, place, depth)
        if kind is dict and has_many_hashes(value):
            items = value.items()
            return {"dict": [[self.encode(k, place, depth + 1), self._inside(v, place, k, depth)] for k, v in items]}
        if isinstance(value, (np.ndarray, np.generic)):
            return self._array(value, place, depth)
        if isinstance(value, np.dtype) and value in NAMES:
            return {"dtype": value.name}
        if kind is slice:
            return {"slice": self._sequence([value.start, value.stop, value.step], place, depth)}
        if kind is np.random.RandomState:
            name, *state = value.get_state()
            return {"RandomState": self._sequence([name, *state], place, depth)}
        if kind in self.names:
            state = vars(value) if is_dataclass(value) else value.__getstate__()
            content = {name: self._inside(part, place, name, depth) for name, part in state.items()}
            return {"object": self.names[kind], "state": content}
        raise TypeError(f"{place}={shortened(value)} cannot be stored: {REMEDY}.")

    def _inside(self, value, place, key, depth):
        return self.encode(value, f"{place}.{key}", depth + 1)

    def _sequence(self, value, place, depth):
        kind = type(value).__name__
        if len(value) >= FEWEST_FLOATS and all(type(item) is float for item in value):
            return {"floats": self._float_array(value, place), "as": kind}
        rows = kind == "tuple" and value and all(type(row) is tuple and len(row) == len(value[0]) for row in value)
        if rows and value[0] and all(type(item) is float for row in value for item in row):
            return {"floats": self._float_array(value, place), "as": "tuples"}
        items = [self.encode(item, f"{place}[{i}]", depth + 1) for i, item in enumerate(value)]
        return items if kind == "list" else {"tuple": items}

    def _float_array(self, value, place):
        """Store floats as an array, equal ones once; return its name."""
        array = np.array(value, dtype=np.float64)
        content = array.shape, array.tobytes()
        if content not in self._floats:
            self._floats[content] = self._put(array, place)
        return self._floats[content]

    def _put(self, array, place):
        name, n = place, 1
        while name in self.tensors or name == "__metadata__" or not (name.isascii() and name.isprintable()):
            name, n = f"array.{n}", n + 1
        self.tensors[name] = array
        return name

    def _array(self, value, place, depth):
        kind, shape = value.dtype.kind, list(value.shape)
        if isinstance(value, np.generic):
            return {"scalar": self._array(np.asarray(value), place, depth)}
        if kind == "U":
            self._n_characters += value.dtype.itemsize // 4 * value.size
            if self._n_characters > MAX_TEXT:
                raise TypeError(f"{place}, an array of very long strings, cannot be stored: {REMEDY}.")
        if kind == "U" or (kind == "O" and type(value) is np.ndarray):
            items = [self.encode(item, f"{place}[{i}]", depth + 1) for i, item in enumerate(value.reshape(-1).tolist())]
            return {"strings" if kind == "U" else "objects": items, "shape": shape}
        if kind in "mM" and TIMES.fullmatch(value.dtype.newbyteorder("=").name):
            return {"array": self._put(value.astype("<i8"), place), "dtype": value.dtype.newbyteorder("=").name}
        dtype = value.dtype.newbyteorder("<") if value.dtype.byteorder == ">" else value.dtype
        if dtype in NAMES and not isinstance(value, np.ma.MaskedArray):
            return {"array": self._put(np.asarray(value, dtype=dtype), place)}
        raise TypeError(f"{place}, an array of type {value.dtype}, cannot be stored: {REMEDY}.")


def shortened(value):
    """A value for an error message, cut to 100 characters."""
    text = repr(value)
    return text if len(text) <= 100 else f"{text[:97]}..."


class Decoder:
    """Turn JSON and arrays, which may be hostile, into values: the reverse of `Encoder`.

    Parameters
    ----------
    classes : dict of str to type
        Classes whose objects may be made. Nothing else is looked up by a name from a file.
    tensors : dict of str to ndarray
        The arrays. Each belongs to one place, except those that become tuples.
    complete : callable
        ``complete(cls, state) -> state`` adds defaults, and refuses attributes that no object of the class has.
    """

    def __init__(self, classes, tensors, complete):
        self.classes, self.tensors, self.complete = classes, tensors, complete
        self._used, self._tuples, self._characters_left = set(), {}, MAX_TEXT
        self._floats_left = FREE_FLOATS + 4 * sum(array.size for array in tensors.values())

    def from_json(self, text):
        """Turn the text of `Encoder.to_json` into the dict it was made of.

        Raises
        ------
        UnreadableFileError
            If `Encoder` cannot have made the text.
        """
        values = parse_json(text)
        if not isinstance(values, dict):
            raise UnreadableFileError("Its header does not hold what save() writes.")
        return {name: self.decode(value) for name, value in values.items()}

    def finish(self):
        """Refuse arrays that no value refers to."""
        unused = self.tensors.keys() - self._used
        if unused:
            raise UnreadableFileError(f"Nothing refers to its array {min(unused)!r}.")

    def decode(self, code):
        """Decode one value."""
        if isinstance(code, list):
            return [self.decode(item) for item in code]
        if not isinstance(code, dict):
            return code
        match code:
            case {"float": str(name), **more} if not more and name in SPECIAL_FLOATS:
                return SPECIAL_FLOATS[name]
            case {"tuple": list(items), **more} if not more:
                return tuple(map(self.decode, items))
            case {"dict": list(items), **more} if not more:
                return self._dict(items)
            case {"floats": str(name), "as": ("list" | "tuple" | "tuples") as kind, **more} if not more:
                return self._sequence(name, kind)
            case {"array": str(name), **more} if not more or more.keys() == {"dtype"}:
                return self._array(name, **more)
            case {"objects": list(items), "shape": list(shape), **more} if not more:
                return self._objects(items, shape)
            case {"strings": list(items), "shape": list(shape), **more} if not more:
                return self._strings(items, shape)
            case {"scalar": dict(content), **more} if not more:
                return self._scalar(content)
            case {"dtype": str(name), **more} if not more and name in [dtype.name for dtype in NAMES]:
                return np.dtype(name)
            case {"slice": [start, stop, step], **more} if not more:
                return slice(*map(self.decode, (start, stop, step)))
            case {"RandomState": list(content), **more} if not more:
                return self._random_state(content)
            case {"object": str(name), "state": dict(state), **more} if not more and name in self.classes:
                return self._object(self.classes[name], {key: self.decode(value) for key, value in state.items()})
        raise UnreadableFileError(f"Its header holds {shortened(code)}, which stands for nothing that is known here.")

    def _dict(self, items):
        pairs = self.decode(items)
        try:
            check_hashes([key for key, _ in pairs])
            found = {key: value for key, value in pairs}
        except UnreadableFileError:
            raise
        except (TypeError, ValueError) as error:
            raise UnreadableFileError("Its header holds an invalid dict.") from error
        if len(found) < len(pairs):
            raise UnreadableFileError("Its header holds a dict with a key twice.")
        return found

    def _take(self, name, again=False):
        if name not in self.tensors or (name in self._used and not again):
            raise UnreadableFileError(f"Its array {name!r} is missing, or belongs to two places.")
        self._used.add(name)
        return self.tensors[name]

    def _sequence(self, name, kind):
        """Floats; all tuples made of one array are one object, so that a short file does not become a large one."""
        array = self._take(name, again=kind != "list")
        self._floats_left -= array.size  # also those of a tuple of before: whoever checks it looks at each again
        if self._floats_left < 0:
            raise UnreadableFileError(f"Its array {name!r} belongs to too many places.")
        if (name, kind) in self._tuples:
            return self._tuples[name, kind]
        if array.dtype != np.float64 or array.ndim != (2 if kind == "tuples" else 1):
            raise UnreadableFileError(f"Its array {name!r} does not hold floats in a row.")
        if kind == "list":
            return array.tolist()
        found = tuple(map(tuple, array.tolist())) if kind == "tuples" else tuple(array.tolist())
        self._tuples[name, kind] = found
        return found

    def _array(self, name, dtype=None):
        array = self._take(name)
        if dtype is None:
            return array
        if array.dtype != np.int64 or not isinstance(dtype, str) or not TIMES.fullmatch(dtype):
            raise UnreadableFileError(f"Its array {name!r} holds no times.")
        return array.view(dtype)

    def _objects(self, items, shape):
        check_shape(shape, len(items))
        array = np.empty(len(items), dtype=object)
        for i, item in enumerate(items):
            array[i] = self.decode(item)
        return array.reshape(shape)

    def _strings(self, items, shape):
        check_shape(shape, len(items))
        are_strings = all(isinstance(item, str) for item in items)
        self._characters_left -= max(map(len, items), default=0) * len(items) if are_strings else 0
        if not are_strings or self._characters_left < 0:
            raise UnreadableFileError("Its header holds an array of strings that are invalid or far too long.")
        return np.array(items, dtype=str).reshape(shape)

    def _scalar(self, content):
        array = self.decode(content)
        if not isinstance(array, np.ndarray) or array.shape != () or array.dtype == object:
            raise UnreadableFileError("Its header holds an invalid number.")
        return array[()]

    def _random_state(self, content):
        random_state = np.random.RandomState(0)
        try:
            random_state.set_state(tuple(self.decode(content)))
        except (TypeError, ValueError, IndexError, OverflowError) as error:
            raise UnreadableFileError("Its header holds an invalid RandomState.") from error
        return random_state

    def _object(self, cls, state):
        instance, state = cls.__new__(cls), self.complete(cls, state)
        if is_dataclass(cls) or not hasattr(cls, "__setstate__"):
            instance.__dict__.update(state)
            return instance
        try:
            instance.__setstate__(state)
        except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
            raise UnreadableFileError(f"Its {cls.__name__} is invalid ({error}).") from error
        return instance


def check_shape(shape, n):
    """Refuse a shape that does not hold n values."""
    if not is_sizes(shape) or len(shape) > MAX_AXES or math.prod(shape) != n or max(shape, default=0) > n:
        raise UnreadableFileError("Its header holds an array whose shape does not fit its values.")
