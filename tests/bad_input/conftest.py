"""What every refusal has to keep to: its words, no step of training, and an estimator that is as it was."""

import re
from collections import Counter

import pytest

from sklearn_twins._training._net import TwinsNet

# A message that says what to do holds one of these.
REMEDY = re.compile(
    r"\b(must|give|parse|set|use|leave|bring|take|make|put|spread|replace|divide|cast|call|open|say|try|pass|reshape|"
    r"remove|needs?|unexpected keyword|requires?|required|expecting|expected|should|valid parameters|choose|start|add|"
    r"convert|greater than)\b",
    re.IGNORECASE,
)


@pytest.fixture
def steps(monkeypatch):
    """Counts what every network is told of: "on_batch_begin" before each step, "on_batch_end" after it."""
    told, notify = Counter(), TwinsNet.notify

    def counted(net, method_name, **kwargs):
        told[method_name] += 1
        return notify(net, method_name, **kwargs)

    monkeypatch.setattr(TwinsNet, "notify", counted)
    return told


@pytest.fixture
def refuses(steps):
    """``refuses(words, call, *args, **kwargs)``: the call is refused in such words, before any step of training."""

    def refuses(words, call, *args, in_first_batch=False, **kwargs):
        steps.clear()
        with pytest.raises((ValueError, TypeError)) as caught:
            call(*args, **kwargs)
        message = str(caught.value)
        for word in words:
            assert word in message
        assert REMEDY.search(message), "no remedy"
        assert type(caught.value).__module__.partition(".")[0] in ("builtins", "sklearn", "sklearn_twins")
        assert steps["on_batch_end"] == 0
        assert steps["on_batch_begin"] == in_first_batch
        return caught.value

    return refuses
