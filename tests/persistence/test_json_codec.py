"""JSON codec: floats that JSON does not know come back as they were."""

import math

from sklearn_twins._persistence._json_codec import Decoder, Encoder


def test_special_floats():
    encoder = Encoder({})
    text = encoder.to_json({"values": [math.inf, -math.inf, math.nan]})
    high, low, undefined = Decoder({}, encoder.tensors, None).from_json(text)["values"]
    assert (high, low) == (math.inf, -math.inf) and math.isnan(undefined)
