# SPDX-License-Identifier: MIT
"""A PyTorch model built from the text of `lehr models --dump NAME`, line by line, so that it follows the
description and not a second copy of each model.  Parameter names equal those of lehr's weights files."""
import torch
from torch import nn
from torch.nn import functional as F

STEMS = {"batchnorm": "bn", "dense": "fc", "globalavgpool": "avgpool"}
ACTIVATIONS = {"relu": F.relu, "sigmoid": torch.sigmoid, "tanh": torch.tanh, "gelu": F.gelu,
               "silu": F.silu, "leaky": F.leaky_relu}


def pair(text):
    first, _, second = text.partition("x")
    return int(first), int(second or first)


def same(size, window, stride):
    total = max((-(-size // stride) - 1) * stride + window - size, 0)
    return total // 2, total - total // 2


def window_padding(options, shape, window, stride):
    """(left, right, top, bottom), as torch.nn.functional.pad wants it."""
    text = options.get("pad", "0")
    if text == "same":
        return same(shape[2], window[1], stride[1]) + same(shape[1], window[0], stride[0])
    if text == "valid":
        return 0, 0, 0, 0
    vertical, horizontal = pair(text)
    return horizontal, horizontal, vertical, vertical


class Shortcut(nn.Module):
    def __init__(self, extra, stride):
        super().__init__()
        self.extra, self.stride = extra, stride

    def forward(self, x):
        x = x[:, :, ::self.stride, ::self.stride]
        return F.pad(x, (0, 0, 0, 0, self.extra // 2, self.extra - self.extra // 2))


class Described(nn.Module):
    def __init__(self, text):
        super().__init__()
        self.steps = []   # (name, function of (x, other), input name, other's name)
        self.shapes = {}  # name -> (c, h, w)
        self.ops = {}     # name -> operation
        previous = None
        counts = {}
        for line in text.splitlines():
            words = line.split("#")[0].split()
            if not words or words[0] == "init":
                continue
            name = words.pop(0)[:-1] if words[0].endswith(":") else ""
            op, rest = words[0], words[1:]
            options = dict(w.split("=", 1) for w in rest if "=" in w)
            values = [w for w in rest if "=" not in w]
            stem = STEMS.get(op, op)
            counts[stem] = counts.get(stem, 0) + 1
            name = name or ("input" if op == "input" else f"{stem}{counts[stem]}")
            source = options.get("from", previous)
            self.ops[name] = op
            if op == "input":
                self.shapes[name] = tuple(map(int, values))
            else:
                function, shape = self.layer(name, op, values, options, self.shapes[source])
                self.steps.append((name, function, source, options.get("with")))
                self.shapes[name] = shape
            previous = name
        self.output = previous

    def keep(self, name, module):
        """Registers a module under a dotted name: state_dict() then has lehr's names."""
        place = self
        *folders, last = name.split(".")
        for folder in folders:
            if folder not in place._modules:
                place.add_module(folder, nn.Module())
            place = place._modules[folder]
        place.add_module(last, module)
        return module

    def layer(self, name, op, values, options, shape):
        c, h, w = shape
        if op == "conv":
            filters, window = int(values[0]), pair(values[1])
            stride = pair(options.get("stride", "1"))
            padding = window_padding(options, shape, window, stride)
            conv = self.keep(name, nn.Conv2d(c, filters, window, stride,
                                             bias=options.get("bias", "1") in ("1", "true")))
            if padding[0] == padding[1] and padding[2] == padding[3]:
                conv.padding = (padding[2], padding[0])
                return conv, self.windowed(filters, shape, window, stride, padding)
            return (lambda x: conv(F.pad(x, padding)),
                    self.windowed(filters, shape, window, stride, padding))
        if op == "dense":
            units = int(values[0])
            dense = self.keep(name, nn.Linear(c, units, bias=options.get("bias", "1") in ("1", "true")))
            return (lambda x: dense(x.flatten(1))), (units, 1, 1)
        if op == "batchnorm":
            norm = self.keep(name, nn.BatchNorm2d(c, float(options.get("eps", 1e-5)),
                                                  float(options.get("momentum", 0.1))))
            return norm, shape
        if op in ("maxpool", "avgpool"):
            return self.pool(op, values, options, shape)
        if op == "globalavgpool":
            return (lambda x: x.mean((2, 3), keepdim=True)), (c, 1, 1)
        if op == "dropout":
            return self.keep(name, nn.Dropout(float(values[0]))), shape
        if op == "add":
            return (lambda x, other: x + other), shape
        if op == "shortcut":
            stride = pair(options.get("stride", "1"))[0]
            return (Shortcut(int(values[0]) - c, stride),
                    (int(values[0]), -(-h // stride), -(-w // stride)))
        if op == "flatten":
            return (lambda x: x.flatten(1)[:, :, None, None]), (c * h * w, 1, 1)
        if op == "leaky":
            slope = float(options.get("slope", 0.01))
            return (lambda x: F.leaky_relu(x, slope)), shape
        return ACTIVATIONS[op], shape

    @staticmethod
    def windowed(channels, shape, window, stride, padding):
        return (channels, (shape[1] + padding[2] + padding[3] - window[0]) // stride[0] + 1,
                (shape[2] + padding[0] + padding[1] - window[1]) // stride[1] + 1)

    def pool(self, op, values, options, shape):
        window = pair(values[0])
        stride = pair(options.get("stride", values[0]))
        padding = window_padding(options, shape, window, stride)
        fill = float("-inf") if op == "maxpool" else 0.0
        kind = F.max_pool2d if op == "maxpool" else F.avg_pool2d
        out = self.windowed(shape[0], shape, window, stride, padding)
        if not any(padding):
            return (lambda x: kind(x, window, stride)), out
        return (lambda x: kind(F.pad(x, padding, value=fill), window, stride)), out

    def forward(self, x):
        values = {"input": x}
        for name, function, source, other in self.steps:
            values[name] = function(values[source], values[other]) if other else function(values[source])
        return values[self.output].flatten(1)
