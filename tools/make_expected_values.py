#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes what PyTorch computes for each operator: tests/data/expected/FAMILY.safetensors.

To regenerate, with PyTorch 1.13 or later (on Debian 12: apt-get install python3-torch; run it with
the interpreter that has it):

    python3 tools/make_expected_values.py [FOLDER]

The files are checked in, so that building and testing need no PyTorch; one version of it writes the
same bytes each time. tests/ops/expected_values_test.cpp runs the same cases: to add one, add a line
to a family here and, unless it is a variant of a call, one of the same name there (the test fails
if either is missing).

Inputs are rounded to float32 and everything is computed from them in float64 on the CPU. A file
has, in float32 (rounded once), int32 or bool:

    CASE.inputI     the arguments
    CASE.outputK    the results
    CASE.weightK    w_K, for each result that has a gradient
    CASE.gradI      the gradient of sum_K sum(output_K * w_K), for each argument that has one
"""
import json
import math
import struct
import sys
from pathlib import Path

import torch
import torch.nn.functional as F

FOLDER = Path(__file__).resolve().parent.parent / "tests/data/expected"
INF, NAN = math.inf, math.nan
# Values where functions have poles, kinks, limits or the end of float32's range.
SPECIAL = [NAN, INF, -INF, 0.0, -0.0, 1.0, -1.0, 0.5, -0.5, 80.0, -80.0, 1e-3, -1e-3, 1e20]
STORED = {  # dtype of the computation -> dtype of the file, its name, struct's letter
    torch.float64: (torch.float32, "F32", "f"),
    torch.float32: (torch.float32, "F32", "f"),
    torch.int64: (torch.int32, "I32", "i"),
    torch.bool: (torch.bool, "BOOL", "?"),
}


def write_safetensors(path, tensors, metadata):
    """The format: length of the header in eight bytes, the header in JSON, the values."""
    header, data = {"__metadata__": metadata}, b""
    for name, tensor in tensors.items():
        dtype, dtype_name, letter = STORED[tensor.dtype]
        values = tensor.detach().to(dtype).flatten().tolist()
        raw = struct.pack(f"<{len(values)}{letter}", *values)
        offsets = [len(data), len(data) + len(raw)]
        header[name] = {"dtype": dtype_name, "shape": list(tensor.shape), "data_offsets": offsets}
        data += raw
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)  # readers may want the values aligned
    path.write_bytes(struct.pack("<Q", len(text)) + text + data)


class Cases:
    """The cases of one family, with their own random numbers: another family changes no value."""

    def __init__(self):
        self.tensors = {}
        self.generator = torch.Generator().manual_seed(20240229)

    def uniform(self, *shape, low=-2.0, high=2.0):
        unit = torch.rand(shape, generator=self.generator)
        return (low + (high - low) * unit).float().double()

    def integers(self, *shape, low=0, high):
        return torch.randint(low, high, shape, generator=self.generator)

    def add(self, case, function, *inputs, fixed=()):
        """Runs function(*inputs). `case` is CALL or CALL/VARIANT; the variants of a call are the
        same function on other inputs. Floating inputs get a gradient, those in `fixed` do not.
        """
        leaves = []
        for i, value in enumerate(inputs):
            has_grad = value.is_floating_point() and i not in fixed
            leaves.append(value.clone().requires_grad_(has_grad))
            self.put(f"{case}.input{i}", value)
        outputs = function(*leaves)
        outputs = [outputs] if isinstance(outputs, torch.Tensor) else list(outputs)
        for k, output in enumerate(outputs):
            self.put(f"{case}.output{k}", output)
        self.add_gradients(case, leaves, outputs)

    def add_gradients(self, case, leaves, outputs):
        wanted = {k: output for k, output in enumerate(outputs) if output.requires_grad}
        if not wanted:
            return
        weights = {k: self.uniform(*output.shape, low=0.5) for k, output in wanted.items()}
        inputs = {i: leaf for i, leaf in enumerate(leaves) if leaf.requires_grad}
        grads = torch.autograd.grad([*wanted.values()], [*inputs.values()], [*weights.values()])
        for k, weight in weights.items():
            self.put(f"{case}.weight{k}", weight)
        for i, grad in zip(inputs, grads):
            self.put(f"{case}.grad{i}", grad)

    def put(self, name, tensor):
        assert name not in self.tensors, f"{name} is there already"
        self.tensors[name] = tensor


def vector(*values):
    """Values rounded to float32."""
    return torch.tensor(values).float().double()


UNARY = {  # function, and the range of its random values
    "neg": (torch.neg, -2, 2),
    "abs": (torch.abs, -2, 2),
    "sign": (torch.sign, -2, 2),
    "square": (torch.square, -2, 2),
    "sqrt": (torch.sqrt, 0.1, 4),
    "rsqrt": (torch.rsqrt, 0.2, 4),
    "reciprocal": (torch.reciprocal, 0.3, 3),
    "exp": (torch.exp, -3, 2),
    "log": (torch.log, 0.2, 5),
    "log1p": (torch.log1p, -0.8, 5),
    "sin": (torch.sin, -6, 6),
    "cos": (torch.cos, -6, 6),
    "tanh": (torch.tanh, -3, 3),
    "sinh": (torch.sinh, -2, 2),
    "cosh": (torch.cosh, -2, 2),
    "asinh": (torch.asinh, -4, 4),
    "erf": (torch.erf, -3, 3),
    "sigmoid": (torch.sigmoid, -5, 5),
    "relu": (torch.relu, -2, 2),
    "softplus": (F.softplus, -5, 5),
}
GATES = {  # x times a function with the limits 0 and 1
    "gelu": F.gelu,
    "gelu_tanh": lambda x: F.gelu(x, approximate="tanh"),
    "silu": F.silu,
}


def unary(cases):
    for name, (function, low, high) in UNARY.items():
        cases.add(name, function, cases.uniform(3, 7, low=low, high=high))
        cases.add(f"{name}/special", function, vector(*SPECIAL))
    for name, function in GATES.items():
        cases.add(name, function, cases.uniform(3, 7, low=-5, high=5))
        cases.add(f"{name}/special", function, vector(*(x for x in SPECIAL if not math.isinf(x))))
        # The slopes there are 1 and 0, but PyTorch's formula for them is infinity * 0.
        cases.add(f"{name}/infinite", function, vector(INF, -INF), fixed=(0,))
    # beta * x on both sides of the threshold, and just on it
    x = vector(-9, -1, 0, 1, 1.5, 1.75, 9)
    cases.add("softplus_threshold", lambda x: F.softplus(x, 2.0, 3.0), x)
    x = vector(NAN, -INF, INF, -3, -1, 0, 0.25, 1, 3)
    cases.add("clamp", lambda x: torch.clamp(x, -1.0, 1.0), x)
    cases.add("clamp_min", lambda x: torch.clamp(x, min=-1.0), x)
    cases.add("clamp_max", lambda x: torch.clamp(x, max=1.0), x)
    cases.add("clamp_crossed", lambda x: torch.clamp(x, 1.0, -1.0), x)
    cases.add("clamp_int", lambda x: torch.clamp(x, -2, 3), torch.arange(-5, 6))
    cases.add("nan_to_num", lambda x: torch.nan_to_num(x, 0.5, 7.0, -8.0), vector(*SPECIAL))
    largest = torch.finfo(torch.float32).max
    cases.add("nan_to_num_default", lambda x: torch.nan_to_num(x, 0.0, largest, -largest),
              vector(*SPECIAL))
    cases.add("isnan", torch.isnan, vector(*SPECIAL))
    cases.add("isfinite", torch.isfinite, vector(*SPECIAL))
    cases.add("neg/int", torch.neg, torch.arange(-3, 4))
    cases.add("abs/int", torch.abs, torch.arange(-3, 4))
    cases.add("sign/int", torch.sign, torch.arange(-3, 4))
    cases.add("sigmoid/int", torch.sigmoid, torch.arange(-3, 4))
    x = vector(-2.75, -1.0, -0.5, -0.0, 0.0, 0.5, 1.75, 100.0)
    cases.add("to_int32", lambda x: x.to(torch.int64), x)
    cases.add("to_bool", lambda x: x.to(torch.bool), x)
    ties = vector(1 + 2**-11, 1 + 3 * 2**-11, 1 + 2**-8, 1 + 3 * 2**-8, 1e-6)
    narrow = torch.cat([cases.uniform(9, low=-40.0, high=40.0), ties])
    cases.add("float16_and_back", lambda x: x.to(torch.float16).double(), narrow)
    cases.add("bfloat16_and_back", lambda x: x.to(torch.bfloat16).double(), narrow)


ARITHMETIC = {"add": torch.add, "sub": torch.sub, "mul": torch.mul, "div": torch.div,
              "maximum": torch.maximum, "minimum": torch.minimum}


def binary(cases):
    a, b = cases.uniform(2, 3, 4), cases.uniform(2, 3, 4, low=0.5)
    for name, function in ARITHMETIC.items():
        cases.add(name, function, a, b)
        cases.add(f"{name}/broadcast", function, cases.uniform(2, 1, 4),
                  cases.uniform(3, 1, low=0.5))
        cases.add(f"{name}/special", function,
                  vector(NAN, 1, NAN, INF, INF, -INF, 0, 1, -1, 2, 0, -0.0, 1e20),
                  vector(1, NAN, NAN, 1, INF, INF, 0, 0, 0, 2, 5, 0.0, 1e20))
        cases.add(f"{name}/int", function, torch.tensor([-7, -2, 0, 3, 9]),
                  torch.tensor([2, -2, 5, 3, -4]))
    cases.add("add_alpha", lambda a, b: torch.add(a, b, alpha=2.5), a, b)
    cases.add("sub_alpha", lambda a, b: torch.sub(a, b, alpha=0.5), a, b)
    cases.add("add_scalar", lambda a: a + 1.5, a)
    cases.add("sub_scalar", lambda a: a - 1.5, a)
    cases.add("rsub_scalar", lambda a: 1.5 - a, a)
    cases.add("mul_scalar", lambda a: a * -1.5, a)
    cases.add("div_scalar", lambda a: a / 0.75, a)
    cases.add("add_itself", lambda a: a + a, a)
    cases.add("mul_itself", lambda a: a * a, a)
    cases.add("add/int_and_bool", torch.add, torch.tensor([3, -4]), torch.tensor([True, False]))
    cases.add("mul/int_and_float", torch.mul, torch.tensor([3, -4]), vector(0.5, 0.25))
    cases.add("add_scalar/int", lambda a: a + 1.5, torch.tensor([3, -4]))
    powers(cases)
    condition = torch.tensor([[True], [False], [True]])
    cases.add("where", torch.where, condition, cases.uniform(3, 4), cases.uniform(4))
    # What is not taken gives nothing, not 0 * NaN.
    cases.add("where/special", torch.where, torch.tensor([True, True, False, False]),
              vector(1, NAN, 2, INF), vector(NAN, 3, INF, 4))
    cases.add("where_guards_log", lambda x: torch.where(x > 0, torch.log(x), torch.zeros_like(x)),
              vector(2, 0.5, -1))


def powers(cases):
    cases.add("pow", torch.pow, cases.uniform(4, 3, low=0.3, high=3), cases.uniform(3))
    cases.add("pow/special", torch.pow,
              vector(0, 0, 0, -2, -2, -2, NAN, 1, INF, 0.5, -0.0, 2, NAN),
              vector(0, 2, -1, 3, -2, 0.5, 0, NAN, 0, INF, 3, -INF, NAN))
    exponents = {"0": 0, "1": 1, "2": 2, "3": 3, "half": 0.5, "minus_1": -1, "minus_1_5": -1.5}
    for name, exponent in exponents.items():
        cases.add(f"pow_{name}", lambda x: torch.pow(x, exponent),
                  vector(-2, -1, -0.5, 0, 0.5, 1, 3, INF, NAN))
    cases.add("pow_3/int", lambda x: torch.pow(x, 3), torch.arange(-4, 5))


def comparisons(cases):
    a, b = vector(1, 2, 3, NAN, 1, NAN, INF, 0.0), vector(1, 3, 2, 1, NAN, NAN, INF, -0.0)
    for name in ("eq", "ne", "lt", "le", "gt", "ge"):
        function = getattr(torch, name)
        cases.add(name, function, a, b)
        cases.add(f"{name}/broadcast", function, cases.integers(3, 1, high=3),
                  cases.integers(4, high=3))
        cases.add(f"{name}_scalar", lambda x: function(x, 2.0), a)
    first = torch.tensor([True, True, False, False])
    second = torch.tensor([True, False, True, False])
    for name in ("logical_and", "logical_or", "logical_xor"):
        function = getattr(torch, name)
        cases.add(name, function, first, second)
        cases.add(f"{name}/float", function, vector(0, 0, 2, NAN, -0.0), vector(0, 3, 0, NAN, NAN))
    cases.add("logical_not", torch.logical_not, first)
    cases.add("logical_not/float", torch.logical_not, vector(0, -0.0, 2, NAN, INF))


def in_place(cases):
    """Each changes a clone of the first input: the gradient flows through the change."""
    x, y = cases.uniform(3, 4, low=0.5), cases.uniform(4, low=0.5)
    cases.add("add_", lambda x, y: x.clone().add_(y, alpha=2.0), x, y)
    cases.add("sub_", lambda x, y: x.clone().sub_(y), x, y)
    cases.add("mul_", lambda x, y: x.clone().mul_(y), x, y)
    cases.add("div_", lambda x, y: x.clone().div_(y), x, y)
    cases.add("pow_", lambda x: x.clone().pow_(3), x)
    for name in ("neg", "abs", "square", "sqrt", "rsqrt", "exp", "log", "tanh", "sigmoid", "relu"):
        cases.add(f"{name}_", lambda x: getattr(x.clone(), f"{name}_")(), x)
    cases.add("clamp_", lambda x: x.clone().clamp_(0.75, 1.5), x)
    cases.add("copy_", lambda x, y: x.clone().copy_(y), x, y)
    cases.add("fill_", lambda x: x.clone().fill_(2.5) * x, x)
    cases.add("zero_", lambda x: x.clone().zero_() + x, x)

    def through_views(x, y):
        z = x.clone()
        z.t()[0].add_(1.0)
        z[1].mul_(y)
        z[:, 1:3].exp_()
        return z

    cases.add("through_views", through_views, x, y)


def reductions(cases):
    x = cases.uniform(3, 4, 5)
    special = vector(1, NAN, 2, INF, 3, -INF, INF, -INF).reshape(4, 2)
    plain = {"sum": torch.sum, "mean": torch.mean, "amax": torch.amax, "amin": torch.amin}
    for name, function in plain.items():
        cases.add(name, function, x)
        cases.add(f"{name}_last", lambda x: function(x, dim=-1), x)
        cases.add(f"{name}_outer", lambda x: function(x, dim=(0, 2), keepdim=True), x)
        cases.add(f"{name}_last/special", lambda x: function(x, dim=-1), special)
    integers = cases.integers(3, 4, low=-9, high=9)
    # Elements that tie share the gradient evenly.
    ties = vector(2, 2, 1, 0, 0, 0, -1, 3, 3, 3, 3, 3).reshape(3, 4)
    for name in ("amax", "amin"):
        cases.add(f"{name}_last/ties", lambda x: plain[name](x, dim=-1), ties)
        cases.add(f"{name}/ties", plain[name], ties)
        cases.add(f"{name}_last/int", lambda x: plain[name](x, dim=-1), integers)
    cases.add("sum_last/int", lambda x: torch.sum(x, dim=-1), integers)
    cases.add("sum/bool", torch.sum, torch.tensor([True, False, True]))
    cases.add("sum_last/empty", lambda x: torch.sum(x, dim=-1), torch.zeros(3, 0))
    cases.add("sum_to_size", lambda x: x.sum_to_size(4, 1), x)
    deviations(cases, x)
    searches(cases, x)
    cases.add("logsumexp", lambda x: torch.logsumexp(x, dim=1), x)
    cases.add("logsumexp_all", lambda x: torch.logsumexp(x, dim=(0, 1, 2), keepdim=True), x)
    # Past the range of exp; farther out the result's rounding would show in the gradient.
    large = vector(100, 100, 0, -100, -100, -INF).reshape(2, 3)
    cases.add("logsumexp/large", lambda x: torch.logsumexp(x, dim=1), large)
    cases.add("logsumexp/infinite", lambda x: torch.logsumexp(x, dim=1),
              vector(1, INF, -INF, -INF, NAN, 1).reshape(3, 2), fixed=(0,))
    cases.add("cumsum_first", lambda x: torch.cumsum(x, dim=0), x)
    for name, values in {"": x, "/int": integers, "/special": vector(1, INF, 2, -INF, 3)}.items():
        cases.add(f"cumsum_last{name}", lambda x: torch.cumsum(x, dim=-1), values)


def deviations(cases, x):
    far = cases.uniform(40, low=1000.0, high=1001.0)
    constant = vector(2, 2, 2, 2, 1, 3).reshape(2, 3)
    for name, function in {"var": torch.var, "std": torch.std}.items():
        for variant, values in {"": x, "/far_from_0": far}.items():
            cases.add(name + variant, lambda x: function(x, dim=None, correction=1), values)
        # PyTorch 1.13 refuses to differentiate this.
        cases.add(f"{name}/one", lambda x: function(x, dim=None, correction=1), vector(3),
                  fixed=(0,))
        for variant, values in {"": x, "/constant": constant}.items():
            cases.add(f"{name}_last{variant}", lambda x: function(x, dim=-1, correction=0), values)
        cases.add(f"{name}_outer", lambda x: function(x, dim=(0, 2), correction=2, keepdim=True), x)


def searches(cases, x):
    ties = vector(1, 3, 3, NAN, 2, NAN, -1, -1, 0).reshape(3, 3)
    truths = torch.tensor([[True, True], [True, False], [False, False]])
    for name, function in {"argmax": torch.argmax, "argmin": torch.argmin}.items():
        cases.add(name, function, x)
        cases.add(f"{name}_middle", lambda x: function(x, dim=1, keepdim=True), x)
        cases.add(f"{name}_last/ties", lambda x: function(x, dim=-1), ties)
        cases.add(f"{name}_last/int", lambda x: function(x, dim=-1),
                  cases.integers(3, 4, low=-9, high=9))
    for name, function in {"any": torch.any, "all": torch.all}.items():
        cases.add(name, function, truths)
        cases.add(f"{name}_last", lambda x: function(x, dim=1, keepdim=True), truths)
        cases.add(f"{name}_last/float", lambda x: function(x, dim=1, keepdim=True),
                  vector(0, NAN, 0, -0.0, 2, 1).reshape(3, 2))


def linalg(cases):
    shapes = {
        "matrices": ((3, 4), (4, 5)),
        "tiles": ((17, 33), (33, 19)),
        "long": ((2, 300), (300, 2)),
        "batch": ((2, 3, 4), (2, 4, 5)),
        "batch_shared": ((2, 3, 4), (4, 5)),
        "batch_broadcast": ((2, 1, 3, 4), (3, 4, 2)),
        "shared_batch": ((3, 4), (2, 4, 2)),
        "dot": ((6,), (6,)),
        "vector_matrix": ((4,), (4, 3)),
        "matrix_vector": ((3, 4), (4,)),
        "vector_batch": ((4,), (2, 4, 3)),
        "batch_vector": ((2, 3, 4), (4,)),
        "nothing": ((2, 0), (0, 3)),
    }
    for name, (a, b) in shapes.items():
        cases.add(f"matmul/{name}", torch.matmul, cases.uniform(*a), cases.uniform(*b))
    cases.add("matmul_left_turned", lambda a, b: a.t() @ b,
              cases.uniform(4, 3), cases.uniform(4, 5))
    cases.add("matmul_right_turned", lambda a, b: a @ b.t(),
              cases.uniform(3, 4), cases.uniform(5, 4))
    cases.add("matmul_both_turned", lambda a, b: a.transpose(-1, -2) @ b.transpose(-1, -2),
              cases.uniform(2, 4, 3), cases.uniform(2, 5, 4))
    cases.add("matmul_by_itself", lambda a: a @ a.t(), cases.uniform(3, 4))
    weight, bias = cases.uniform(5, 4), cases.uniform(5)
    for name, shape in {"vector": (4,), "rows": (3, 4), "batch": (2, 3, 4)}.items():
        x = cases.uniform(*shape)
        cases.add(f"linear/{name}", F.linear, x, weight, bias)
        cases.add(f"linear_no_bias/{name}", F.linear, x, weight)


def rms_norm(x, shape, weight=None, eps=1e-6):
    dims = tuple(range(-len(shape), 0))
    y = x * torch.rsqrt(x.square().mean(dims, keepdim=True) + eps)
    return y if weight is None else y * weight


def norms(cases):
    x = cases.uniform(2, 3, 5, low=-4.0, high=4.0)
    extreme = vector(1e4, 1e4, 0, -1e30, -1e30, -1e30, -INF, 2, 3, 0, 0, -INF).reshape(4, 3)
    special = vector(NAN, 1, INF, 0, -INF, -INF).reshape(3, 2)
    for name, function in {"softmax": torch.softmax, "log_softmax": torch.log_softmax}.items():
        cases.add(f"{name}_last", lambda x: function(x, -1), x)
        cases.add(f"{name}_first", lambda x: function(x, 0), x)
        cases.add(f"{name}_last/extreme", lambda x: function(x, 1), extreme)
        cases.add(f"{name}_last/special", lambda x: function(x, 1), special)
    weight, bias = cases.uniform(5), cases.uniform(5)
    matrix, matrix_bias = cases.uniform(3, 5), cases.uniform(3, 5)
    cases.add("layer_norm", lambda x: F.layer_norm(x, (5,)), x)
    cases.add("layer_norm_affine", lambda x, w, b: F.layer_norm(x, (5,), w, b), x, weight, bias)
    cases.add("layer_norm_weight", lambda x, w: F.layer_norm(x, (5,), w), x, weight)
    cases.add("layer_norm_two_dims", lambda x, w, b: F.layer_norm(x, (3, 5), w, b, 0.1),
              x, matrix, matrix_bias)
    cases.add("layer_norm_constant", lambda x: F.layer_norm(x, (3,)),
              vector(2, 2, 2, 0, 0, 0).reshape(2, 3))
    cases.add("layer_norm_far_from_0", lambda x: F.layer_norm(x, (40,)),
              cases.uniform(2, 40, low=100.0, high=101.0))
    cases.add("rms_norm", lambda x: rms_norm(x, (5,)), x)
    cases.add("rms_norm_weight", lambda x, w: rms_norm(x, (5,), w), x, weight)
    cases.add("rms_norm_two_dims", lambda x, w: rms_norm(x, (3, 5), w, 0.1), x, matrix)
    cases.add("rms_norm_zeros", lambda x: rms_norm(x, (3,), eps=0.25),
              vector(0, 0, 0, 1e-3, 0, 0).reshape(2, 3))
    channel_norms(cases)


def tracked(norm, running_mean, running_var):
    """norm(mean, var) with copies of the running statistics, then the copies."""
    mean, var = running_mean.clone(), running_var.clone()
    return norm(mean, var), mean, var


def channel_norms(cases):
    weight, bias = cases.uniform(3), cases.uniform(3)
    statistics = cases.uniform(3), cases.uniform(3, low=0.5)
    for rank, shape in {"2d": (5, 3), "3d": (4, 3, 5), "4d": (2, 3, 4, 2)}.items():
        x = cases.uniform(*shape, low=-4.0, high=4.0)
        cases.add(f"batch_norm/{rank}",
                  lambda x, w, b: F.batch_norm(x, None, None, w, b, True), x, weight, bias)
        cases.add(f"batch_norm_plain/{rank}",
                  lambda x: F.batch_norm(x, None, None, None, None, True, 0.1, 0.5), x)
        cases.add(f"batch_norm_tracked/{rank}",
                  lambda x, w, b, m, v: tracked(
                      lambda m, v: F.batch_norm(x, m, v, w, b, True, 0.3), m, v),
                  x, weight, bias, *statistics, fixed=(3, 4))
        cases.add(f"batch_norm_eval/{rank}",
                  lambda x, w, b, m, v: F.batch_norm(x, m, v, w, b, False, 0.3, 0.01),
                  x, weight, bias, *statistics, fixed=(3, 4))
        cases.add(f"batch_norm_eval_plain/{rank}",
                  lambda x, m, v: F.batch_norm(x, m, v), x, *statistics, fixed=(1, 2))
    cases.add("batch_norm_plain/far_from_0",
              lambda x: F.batch_norm(x, None, None, None, None, True, 0.1, 0.5),
              cases.uniform(9, 2, 3, low=100.0, high=101.0))
    for rank, shape in {"2d": (2, 4), "3d": (2, 4, 5), "4d": (2, 4, 3, 2)}.items():
        x, weight, bias = cases.uniform(*shape), cases.uniform(4), cases.uniform(4)
        cases.add(f"group_norm/{rank}", lambda x, w, b: F.group_norm(x, 2, w, b), x, weight, bias)
        cases.add(f"group_norm_plain/{rank}", lambda x: F.group_norm(x, 1, eps=0.5), x)
    cases.add("group_norm_weight", lambda x, w: F.group_norm(x, 2, w),
              cases.uniform(2, 4, 5), cases.uniform(4))
    weight, bias = cases.uniform(3), cases.uniform(3)
    for rank, shape in {"3d": (4, 3, 5), "4d": (2, 3, 4, 2)}.items():
        x = cases.uniform(*shape, low=-4.0, high=4.0)
        cases.add(f"instance_norm/{rank}",
                  lambda x, w, b: F.instance_norm(x, None, None, w, b), x, weight, bias)
        cases.add(f"instance_norm_tracked/{rank}",
                  lambda x, w, b, m, v: tracked(
                      lambda m, v: F.instance_norm(x, m, v, w, b, True, 0.3), m, v),
                  x, weight, bias, *statistics, fixed=(3, 4))
        cases.add(f"instance_norm_eval/{rank}",
                  lambda x, m, v: F.instance_norm(x, m, v, None, None, False, 0.3, 0.01),
                  x, *statistics, fixed=(1, 2))


def convolutions(cases):
    weight, bias = cases.uniform(4, 3, 3, 2), cases.uniform(4)
    for name, shape in {"batch": (2, 3, 5, 6), "one": (3, 4, 4)}.items():
        x = cases.uniform(*shape)
        cases.add(f"conv2d/{name}", F.conv2d, x, weight, bias)
        cases.add(f"conv2d_no_bias/{name}", F.conv2d, x, weight)
        cases.add(f"conv2d_uneven/{name}",
                  lambda x, w, b: F.conv2d(x, w, b, (2, 1), (3, 1), (2, 3)), x, weight, bias)
    cases.add("conv2d_groups", lambda x, w, b: F.conv2d(x, w, b, 2, 1, 1, 2),
              cases.uniform(2, 4, 7, 7), cases.uniform(6, 2, 3, 3), cases.uniform(6))
    cases.add("conv2d_depthwise", lambda x, w, b: F.conv2d(x, w, b, 1, 1, 1, 4),
              cases.uniform(2, 4, 5, 5), cases.uniform(4, 1, 3, 3), bias)
    x, equal = cases.uniform(2, 3, 7, 6), cases.integers(1, 2, 6, 6, high=3).double()
    for name, pool in {
        "max_pool2d": lambda x: F.max_pool2d(x, 2),
        "max_pool2d_overlapping": lambda x: F.max_pool2d(x, 3, 2, 1),
        "max_pool2d_uneven": lambda x: F.max_pool2d(x, (2, 3), (1, 2), (1, 0), (3, 1)),
        "max_pool2d_ceil": lambda x: F.max_pool2d(x, 2, 2, 0, 1, True),
        "avg_pool2d": lambda x: F.avg_pool2d(x, 2),
        "avg_pool2d_padded": lambda x: F.avg_pool2d(x, 3, 2, 1),
        "avg_pool2d_ceil": lambda x: F.avg_pool2d(x, 2, 3, 1, True),
        "avg_pool2d_apart": lambda x: F.avg_pool2d(x, (3, 2), (2, 1), 1, True, False),
        "avg_pool2d_divisor": lambda x: F.avg_pool2d(x, 2, divisor_override=3),
        "adaptive_avg_pool2d": lambda x: F.adaptive_avg_pool2d(x, 1),
        "adaptive_avg_pool2d_uneven": lambda x: F.adaptive_avg_pool2d(x, (3, 4)),
    }.items():
        cases.add(f"{name}/batch", pool, x)
        cases.add(f"{name}/one", pool, x[1])
        cases.add(f"{name}/equal", pool, equal)


def views(cases):
    x = cases.uniform(2, 3, 4)
    for name, function in {
        "view": lambda x: x.view(4, -1),
        "reshape_turned": lambda x: x.permute(2, 0, 1).reshape(3, 8),
        "flatten": lambda x: x.flatten(1, 2),
        "permute": lambda x: x.permute(2, 0, 1),
        "transpose": lambda x: x.transpose(0, -1),
        "expand": lambda x: x.unsqueeze(1).expand(3, 2, 5, 3, 4)[:, :, ::2],
        "squeeze": lambda x: x[:, :1].squeeze(1),
        "unsqueeze": lambda x: x.unsqueeze(-1),
        "select": lambda x: x.select(1, -1),
        "slice": lambda x: x[:, 1:, -3:-1],
        "slice_step": lambda x: x[:, ::2, 1:99:2],
        "narrow": lambda x: x.narrow(2, -3, 2),
        "unfold_overlapping": lambda x: x.unfold(2, 3, 1),
        "unfold_apart": lambda x: x.unfold(1, 1, 2),
        "split": lambda x: x.split(3, 2),
        "split_with_sizes": lambda x: x.split([1, 0, 2], 1),
        "chunk": lambda x: x.chunk(3, 2),
        "as_strided": lambda x: x.as_strided((3, 4), (2, 3), 1),
        "repeat": lambda x: x[0].repeat(2, 1, 3),
        "pad": lambda x: F.pad(x, (1, 2, 0, 3), value=-1.5),
        "pad_crops": lambda x: F.pad(x, (-1, 2, 1, -2), value=0.5),
        "tril": torch.tril,
        "tril_above": lambda x: torch.tril(x, 1),
        "triu": torch.triu,
        "triu_below": lambda x: torch.triu(x, -1),
    }.items():
        cases.add(name, function, x)
    cases.add("t", torch.t, cases.uniform(2, 3))
    cases.add("tril/drops_nan", torch.tril, vector(1, NAN, INF, 2).reshape(2, 2))
    cases.add("arange", lambda: torch.arange(7))
    cases.add("arange_step", lambda: torch.arange(9, -3, -4))
    cases.add("arange_float", lambda: torch.arange(0.5, 2.0, 0.25))


def indexing(cases):
    table, rows = cases.uniform(6, 3), torch.tensor([[0, 5, 2, 2], [5, 5, 1, 0]])
    cases.add("embedding", lambda i, w: F.embedding(i, w), rows, table)
    cases.add("embedding_padding", lambda i, w: F.embedding(i, w, padding_idx=5), rows, table)
    x = cases.uniform(3, 4, 2)
    cases.add("gather_first", lambda x, i: x.gather(0, i), x, cases.integers(5, 4, 2, high=3))
    cases.add("gather_shorter", lambda x, i: x.gather(1, i), x, cases.integers(2, 6, 1, high=4))
    cases.add("index_select", lambda x, i: x.index_select(1, i), x, torch.tensor([3, 0, 3, 1]))
    cases.add("index_select_one", lambda x, i: x.index_select(0, i), x, torch.tensor([2]))
    cases.add("scatter_add", lambda x, i, s: x.scatter_add(1, i, s),
              x, cases.integers(3, 5, 2, high=4), cases.uniform(3, 5, 2))
    cases.add("index_add", lambda x, i, s: x.index_add(1, i, s),
              x, torch.tensor([2, 2, 0]), cases.uniform(3, 3, 2))
    a, b = cases.uniform(2, 3), cases.uniform(4, 3)
    cases.add("cat", lambda a, b: torch.cat([a, b]), a, b)
    cases.add("cat_last", lambda a, b: torch.cat([a, b, a], -1), a, cases.uniform(2, 1))
    cases.add("cat_promotes", lambda a, b: torch.cat([a, b]), torch.tensor([1, -2]), vector(0.5, 3))
    cases.add("stack", lambda a, b: torch.stack([a, b]), a, cases.uniform(2, 3))
    cases.add("stack_last", lambda a, b: torch.stack([a, b, a], -1), a, cases.uniform(2, 3))


def pinball(x, target, quantiles, reduction):
    difference = target.unsqueeze(-1) - x
    loss = torch.maximum(quantiles * difference, (quantiles - 1) * difference)
    return loss if reduction == "none" else getattr(loss, reduction)()


def losses(cases):
    # Apart by nothing, delta, and what is nearer and farther; then at random.
    x = torch.stack([vector(1, -2, 0.5, 3, 0, 2.5), cases.uniform(6)])
    target = torch.stack([vector(1, -1, 2, 1, -0.25, 2), cases.uniform(6)])
    quantiles, forecasts = vector(0.1, 0.5, 0.9), cases.uniform(2, 6, 3)
    for how in ("none", "mean", "sum"):
        cases.add(f"mse_{how}", lambda x, t: F.mse_loss(x, t, reduction=how), x, target)
        cases.add(f"l1_{how}", lambda x, t: F.l1_loss(x, t, reduction=how), x, target)
        cases.add(f"huber_{how}", lambda x, t: F.huber_loss(x, t, reduction=how), x, target)
        cases.add(f"huber_half_{how}", lambda x, t: F.huber_loss(x, t, reduction=how, delta=0.5),
                  x, target)
        cases.add(f"quantile_{how}", lambda x, t, q: pinball(x, t, q, how),
                  forecasts, target, quantiles)
        cross_entropies(cases, how)


def cross_entropies(cases, how):
    rows, classes = cases.uniform(4, 5), torch.tensor([0, 4, 2, 2])
    cases.add(f"cross_entropy_{how}/rows", lambda x, t: F.cross_entropy(x, t, reduction=how),
              rows, classes)
    cases.add(f"cross_entropy_{how}/pixels", lambda x, t: F.cross_entropy(x, t, reduction=how),
              cases.uniform(2, 3, 2, 2), torch.tensor([[[0, 2], [1, 1]], [[-100, 0], [2, -100]]]))
    cases.add(f"cross_entropy_{how}/extreme", lambda x, t: F.cross_entropy(x, t, reduction=how),
              vector(1e4, 0, -1e4, 0, -INF, 0).reshape(2, 3), torch.tensor([1, 0]))
    cases.add(f"cross_entropy_{how}/all_ignored", lambda x, t: F.cross_entropy(x, t, reduction=how),
              rows, torch.full((4,), -100))
    cases.add(f"cross_entropy_smooth_{how}",
              lambda x, t: F.cross_entropy(x, t, None, None, 2, None, how, 0.25), rows, classes)


def attend(query, key, value, mask=None, is_causal=False, scale=None):
    """A query that sees no key gets zeros, as in PyTorch from 2.5 on (before: NaN)."""
    scale = 1 / math.sqrt(query.shape[-1]) if scale is None else scale
    scores = query @ key.transpose(-1, -2) * scale
    if is_causal:
        scores = scores.masked_fill(torch.ones(scores.shape[-2:]).triu(1) == 1, -INF)
    if mask is not None:
        scores = scores.masked_fill(~mask, -INF) if mask.dtype == torch.bool else scores + mask
    sees_nothing = (scores == -INF).all(-1, keepdim=True)
    weights = torch.softmax(scores.masked_fill(sees_nothing, 0), -1)
    return weights.masked_fill(sees_nothing, 0) @ value


def rotate(x, cos, sin):
    first, second = x.chunk(2, -1)
    return torch.cat([first * cos - second * sin, second * cos + first * sin], -1)


def attention(cases):
    def causal(query, key, value, mask=None):
        return attend(query, key, value, mask, is_causal=True)

    def scaled(query, key, value, mask=None):
        return attend(query, key, value, mask, scale=-0.75)

    def causal_scaled(query, key, value):
        return attend(query, key, value, is_causal=True, scale=0.3)

    matrices = cases.uniform(5, 4), cases.uniform(6, 4), cases.uniform(6, 3)
    heads = cases.uniform(2, 2, 5, 4), cases.uniform(2, 2, 6, 4), cases.uniform(2, 2, 6, 3)
    seen = cases.uniform(5, 6) > -1.0
    seen[:, 0] = True
    added = cases.uniform(2, 1, 5, 6)
    nothing_seen = seen.clone()
    nothing_seen[2] = False
    cases.add("attention/plain", attend, *matrices)
    cases.add("attention/heads", attend, *heads)
    cases.add("attention/shared_key", attend,
              cases.uniform(2, 3, 5, 4), cases.uniform(2, 1, 6, 4), cases.uniform(6, 3))
    cases.add("attention/bool", attend, *heads, seen)
    cases.add("attention/bool_keys", attend, *heads, seen[3].reshape(1, 1, 1, 6))
    cases.add("attention/row_of_nothing", attend, *matrices, nothing_seen)
    cases.add("attention/added", attend, *heads, added)
    cases.add("attention/added_inf", attend, *matrices, torch.where(seen, 0.0, -INF), fixed=(3,))
    cases.add("attention_causal/heads", causal, *heads)
    cases.add("attention_causal/tall", causal,
              cases.uniform(6, 4), cases.uniform(3, 4), cases.uniform(3, 2))
    cases.add("attention_causal/bool", causal, *heads, seen)
    cases.add("attention_causal/added", causal, *matrices, cases.uniform(6))
    cases.add("attention_scaled/heads", scaled, *heads)
    cases.add("attention_scaled/added", scaled, *heads, added)
    cases.add("attention_causal_scaled", causal_scaled, *matrices)
    angles = cases.uniform(5, 3, low=0.0, high=6.0)
    tables = angles.cos().float().double(), angles.sin().float().double()
    cases.add("rotary", rotate, cases.uniform(2, 2, 5, 6), *tables, fixed=(1, 2))


def steps(make_optimizer, max_norm=None):
    """A function of two parameters and their gradients by step: the parameters after each step, and
    with max_norm the joint norms before clipping."""

    def run(first, second, *grads):
        parameters = [x.detach().clone().requires_grad_() for x in (first, second)]
        optimizer = make_optimizer(parameters)
        history, norms = [[], []], []
        for step_grads in zip(*grads):
            for parameter, grad in zip(parameters, step_grads):
                parameter.grad = grad.detach().clone()
            if max_norm is not None:
                norms.append(torch.nn.utils.clip_grad_norm_(parameters, max_norm))
            optimizer.step()
            for values, parameter in zip(history, parameters):
                values.append(parameter.detach().clone())
        return [torch.stack(values) for values in (*history, norms) if values]

    return run


def optimizers(cases):
    inputs = [cases.uniform(3), cases.uniform(2, 2), cases.uniform(6, 3), cases.uniform(6, 2, 2)]
    inputs[2][:, 1] = 0.0  # a parameter without a slope
    optim = torch.optim
    for name, make in {
        "sgd": lambda p: optim.SGD(p, lr=0.1),
        "sgd_momentum": lambda p: optim.SGD(p, lr=0.1, momentum=0.9),
        "sgd_dampening": lambda p: optim.SGD(p, lr=0.1, momentum=0.8, dampening=0.5),
        "sgd_nesterov": lambda p: optim.SGD(p, lr=0.1, momentum=0.9, nesterov=True),
        "sgd_decay": lambda p: optim.SGD(p, lr=0.1, weight_decay=0.2),
        "sgd_nesterov_decay": lambda p: optim.SGD(p, lr=0.1, momentum=0.9, nesterov=True,
                                                  weight_decay=0.2),
        "adam": lambda p: optim.Adam(p, lr=0.05),
        "adam_betas_eps": lambda p: optim.Adam(p, lr=0.05, betas=(0.7, 0.9), eps=0.01),
        "adam_decay": lambda p: optim.Adam(p, lr=0.05, weight_decay=0.2),
        "adamw": lambda p: optim.AdamW(p, lr=0.05, weight_decay=0.2),
        "adamw_betas_eps": lambda p: optim.AdamW(p, lr=0.05, betas=(0.0, 0.9), eps=0.01,
                                                 weight_decay=0.5),
    }.items():
        cases.add(name, steps(make), *inputs)
    binds = steps(lambda p: optim.SGD(p, lr=0.1, momentum=0.9), max_norm=0.5)
    sometimes_binds = steps(lambda p: optim.SGD(p, lr=0.1, weight_decay=0.1), max_norm=3.0)
    cases.add("clip_binds", binds, *inputs)
    cases.add("clip_sometimes_binds", sometimes_binds, *inputs)


FAMILIES = (unary, binary, comparisons, in_place, reductions, linalg, norms, convolutions, views,
            indexing, losses, attention, optimizers)


def main(arguments):
    folder = Path(arguments[0]) if arguments else FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    torch.set_default_dtype(torch.float64)
    metadata = {"torch": torch.__version__, "command": "python3 tools/make_expected_values.py"}
    for family in FAMILIES:
        cases = Cases()
        family(cases)
        write_safetensors(folder / f"{family.__name__}.safetensors", cases.tensors, metadata)


if __name__ == "__main__":
    main(sys.argv[1:])
