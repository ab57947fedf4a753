"""Damaged and forged files: changes by chance, by a broken disk or by an attacker, to a file that `save` wrote."""

import hashlib
import json
import re

import numpy as np

DIGEST = re.compile(rb'"sha256":"[0-9a-f]{64}"')
NO_DIGEST = b'"sha256":"' + b"0" * 64 + b'"'
# Replacements for a node of JSON.
JUNK = json.loads(
    """[
    null, true, false, 0, -1, 1, 2, 3, 1000000000, 9223372036854775808, 1e30, 0.5, 1e308, "", "x", "auto", "\\ud800",
    [], {}, [0], [[[]]], "__class__", {"object": "os.system", "state": {}}, {"tuple": []}, {"tuple": [1000000000]},
    {"object": "networks.MLPEncoder", "state": {}}, {"dict": []}, {"dict": [[{"dict": []}, 1]]}, {"float": "nan"},
    {"floats": "x", "as": "tuple"}, {"array": "encoder_.1.weight"}, {"objects": [], "shape": [0, 1000000000000]},
    {"RandomState": [1, 2]}, {"scalar": {"strings": ["x"], "shape": []}}, {"strings": ["x", "x"], "shape": [2]},
    {"dtype": "O"}
    ]"""
)


def parts(content):
    """Split a file into header and data."""
    n = int.from_bytes(content[:8], "little")
    return json.loads(content[8 : 8 + n]), content[8 + n :]


def joined(header, data):
    """Join a header (a dict or text) and data into a file with a correct checksum."""
    text = header if isinstance(header, bytes) else json.dumps(header, separators=(",", ":")).encode()
    zeroed = DIGEST.sub(NO_DIGEST, text, count=1)
    digest = hashlib.sha256(len(text).to_bytes(8, "little") + zeroed + data).hexdigest().encode()
    return len(text).to_bytes(8, "little") + DIGEST.sub(b'"sha256":"%s"' % digest, text, count=1) + data


def flipped(content, other, rng):
    """Flip some bits."""
    changed = bytearray(content)
    for _ in range(rng.integers(1, 9)):
        place = rng.integers(len(content) if rng.random() < 0.5 else min(len(content), 4_000))
        changed[place] ^= 1 << int(rng.integers(8))
    return bytes(changed)


def cut_off(content, other, rng):
    """Cut off the end, or append bytes."""
    if rng.random() < 0.2:
        return content + rng.bytes(int(rng.integers(1, 100)))
    return content[: rng.integers(len(content))]


def spliced(content, other, rng):
    """Remove a piece, repeat it, or replace it by a piece of another file or by zeros."""
    start, length = int(rng.integers(len(content))), int(2 ** rng.uniform(0, 14))
    piece = content[start : start + length]
    start_other = int(rng.integers(len(other)))
    new = [b"", 2 * piece, other[start_other : start_other + length], bytes(len(piece))][rng.integers(4)]
    return content[:start] + new + content[start + length :]


def length_changed(content, other, rng):
    """Change the header's length."""
    n = int.from_bytes(content[:8], "little")
    values = [0, 1, n - 8, n + 8, len(content), len(content) - 8, 2**31, 2**63, 2**64 - 1, int(rng.integers(2 * n))]
    return int(values[rng.integers(len(values))]).to_bytes(8, "little") + content[8:]


def header_bytes_changed(content, other, rng):
    """Change characters of the header, with a correct checksum."""
    n = int.from_bytes(content[:8], "little")
    text = bytearray(content[8 : 8 + n])
    for _ in range(rng.integers(1, 4)):
        text[rng.integers(n)] = int(rng.choice(list(b'0123456789[]{}",:\\aex -.')))
    return joined(bytes(text), content[8 + n :])


def data_changed(content, other, rng):
    """Change numbers of an array, with a correct checksum."""
    header, data = parts(content)
    changed = bytearray(data)
    entries = [entry for name, entry in header.items() if name != "__metadata__"]
    start, end = entries[rng.integers(len(entries))]["data_offsets"]
    for _ in range(rng.integers(1, 9)):
        if end > start:
            changed[rng.integers(start, end)] = int(rng.integers(256))
    return joined(header, bytes(changed))


def table_changed(content, other, rng):
    """Change shape, type, place or name of an array, with a correct checksum."""
    header, data = parts(content)
    names = [name for name in header if name != "__metadata__"]
    name = names[rng.integers(len(names))]
    if rng.random() < 0.3:
        header[str(rng.choice([*names, "x", ""]))] = header.pop(name)
    else:
        mutate(header[name], rng)
    return joined(header, data)


def section_changed(content, other, rng):
    """Change nodes of the JSON in a section, with a correct checksum."""
    header, data = parts(content)
    metadata = header["__metadata__"]
    for _ in range(rng.integers(1, 3)):
        name = str(rng.choice([*("fitted",) * 8, "parameters", "settings"]))
        section = json.loads(metadata[name])
        mutate(section, rng)
        metadata[name] = json.dumps(section)
    return joined(header, data)


def metadata_changed(content, other, rng):
    """Change, remove or move a string of the metadata, with a correct checksum."""
    header, data = parts(content)
    metadata = header["__metadata__"]
    name = str(rng.choice([name for name in metadata if name != "sha256"]))
    values = ["", "{}", "[]", "null", "[" * 100_000, "2", "x" * 1000, *metadata.values()]
    metadata[name] = values[rng.integers(len(values))]
    if rng.random() < 0.2:
        del metadata[name]
    return joined(header, data)


def nodes(tree, found):
    """Return every place in a JSON tree: a container and one of its keys."""
    keys = tree.keys() if isinstance(tree, dict) else range(len(tree)) if isinstance(tree, list) else ()
    for key in keys:
        found.append((tree, key))
        nodes(tree[key], found)
    return found


def mutate(tree, rng):
    """Change one node of a JSON tree in place: replace, remove, repeat or exchange it."""
    places = nodes(tree, [])
    if not places:
        return
    container, key = places[rng.integers(len(places))]
    way = rng.integers(6)
    if way == 0:
        del container[key]
    elif way == 1:
        other, other_key = places[rng.integers(len(places))]
        container[key] = json.loads(json.dumps(other[other_key]))
    elif way == 2 and isinstance(container, list):
        container.insert(key, container[key])
    elif way == 3 and isinstance(container[key], (int, float)):
        container[key] = container[key] + int(rng.choice([-1, 1, 2, 10**6]))
    else:
        container[key] = JUNK[rng.integers(len(JUNK))]


DAMAGES = (flipped, cut_off, spliced, length_changed)  # detected by the checksum or a length
FORGERIES = (header_bytes_changed, data_changed, table_changed, section_changed, metadata_changed)


def mutations(contents, n, seed):
    """Yield mutated files.

    Parameters
    ----------
    contents : list of bytes
        Contents of files that `save` wrote.
    n : int
        Number of files to make.
    seed : int
        Seed; the same seed gives the same files.

    Yields
    ------
    way : callable
        The function that changed the file.
    which : int
        Index of the changed file.
    content : bytes
        Content of the changed file.
    """
    ways = (*DAMAGES, *FORGERIES, section_changed, section_changed)
    for i in range(n):
        rng = np.random.default_rng([seed, i])
        way, which, other = ways[rng.integers(len(ways))], int(rng.integers(len(contents))), rng.integers(len(contents))
        yield way, which, way(contents[which], contents[other], rng)
