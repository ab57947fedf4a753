"""Forged files for tests: small fitted embedders, their files' content, and changes with the right checksum."""

import importlib.util
import json
import sys
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"


def script(name):
    """A module of the benchmarks' directory, which is no package."""
    spec = importlib.util.spec_from_file_location(name, BENCHMARKS / f"{name}.py")
    sys.modules[name] = module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


mutations, fuzz = script("_mutations"), script("fuzz_files")


def content_of(embedder):
    """The bytes that `save` writes."""
    chunks = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            "sklearn_twins._persistence._safetensors.write_atomically", lambda path, parts: chunks.extend(parts)
        )
        embedder.save("nowhere")
    return b"".join(map(bytes, chunks))


def forged(content, path, change):
    """Write a file whose header and sections were changed by a function, with the right checksum."""
    header, data = mutations.parts(content)
    sections = {name: json.loads(header["__metadata__"][name]) for name in ("parameters", "fitted", "settings")}
    change(header, sections)
    header["__metadata__"] |= {name: json.dumps(section) for name, section in sections.items()}
    path.write_bytes(mutations.joined(header, data))


def encoder_state(sections):
    """The attributes of the encoder's component in a file."""
    return sections["fitted"]["_recipe"]["state"]["encoder"]["state"]


def spec_states(sections):
    """The attributes of both specs in a file."""
    fitted = sections["fitted"]
    return [fitted["_recipe"]["state"]["spec"]["state"], fitted["preprocessor_"]["state"]["spec_"]["state"]]


def peak_of_process():
    """Peak memory of this process in kB; 0 if it is unknown."""
    try:
        import resource
    except ImportError:
        return 0
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
