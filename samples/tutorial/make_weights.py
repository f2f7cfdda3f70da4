#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes a small network as a safetensors file, with an input and what it makes of it.

    python3 samples/tutorial/make_weights.py FILE

The format needs no package: the length of the header in eight bytes, the header in JSON, the
values. With PyTorch and the package safetensors the same is
`safetensors.torch.save_file(model.state_dict(), FILE, metadata={...})`.
"""
import json
import math
import random
import struct
import sys

HIDDEN = 8


def write_safetensors(path, tensors, metadata):
    """tensors: name -> (shape, values in row-major order), stored as float32."""
    header, data = {"__metadata__": metadata}, b""
    for name, (shape, values) in tensors.items():
        raw = struct.pack(f"<{len(values)}f", *values)
        offsets = [len(data), len(data) + len(raw)]
        header[name] = {"dtype": "F32", "shape": shape, "data_offsets": offsets}
        data += raw
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text + data)


def forward(point, first, first_bias, second, second_bias):
    hidden = [
        math.tanh(first[2 * i] * point[0] + first[2 * i + 1] * point[1] + first_bias[i])
        for i in range(HIDDEN)
    ]
    return sum(w * h for w, h in zip(second, hidden)) + second_bias[0]


def main():
    source = random.Random(1)
    draw = lambda count: [source.uniform(-1, 1) for _ in range(count)]
    first, first_bias, second, second_bias = draw(2 * HIDDEN), draw(HIDDEN), draw(HIDDEN), draw(1)
    points = [draw(2) for _ in range(5)]
    outputs = [forward(point, first, first_bias, second, second_bias) for point in points]
    tensors = {
        "0.weight": ([HIDDEN, 2], first),
        "0.bias": ([HIDDEN], first_bias),
        "2.weight": ([1, HIDDEN], second),
        "2.bias": ([1], second_bias),
        "input": ([len(points), 2], [x for point in points for x in point]),
        "output": ([len(points), 1], outputs),
    }
    write_safetensors(sys.argv[1], tensors, {"made_by": "make_weights.py"})


if __name__ == "__main__":
    main()
