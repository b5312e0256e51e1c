# SPDX-License-Identifier: MIT
"""Where a network is not smooth, and how far a batch stays away from there.

ReLU has a kink at 0, max pooling where two values of a window are equal.  A value nearer to its kink than its
rounding error takes either side in a correct computation, and with it go the gradients of all that lies below.
Distances are in units of the standard deviation of the layer's input over the batch."""
import torch
from torch.nn import functional as F

WIDEST = 0.25  # a bias is moved by at most this part of its channel's standard deviation


def values_of(model, x, values=None, first=0, last=None):
    """The outputs of steps first to last (not included) of a Described model by name, added to `values`."""
    values = {"input": x} if values is None else values
    with torch.no_grad():
        for name, function, source, other in model.steps[first:last]:
            values[name] = function(values[source], values[other]) if other else function(values[source])
    return values


def operations(model):
    """(index, name, input's name, op) of the steps with a kink."""
    return [(i, name, source, model.ops[name]) for i, (name, _, source, _) in enumerate(model.steps)
            if model.ops[name] in ("relu", "maxpool")]


def pool_gap(x):
    """Smallest difference of winner and runner-up over the windows whose winner is positive; elsewhere,
    after ReLU, no gradient flows whichever element wins."""
    top = F.unfold(x.flatten(0, 1)[:, None], 2, stride=2).topk(2, 1).values
    return (top[:, 0] - top[:, 1])[top[:, 0] > 0].min()


def distances(model, values, ops=("relu", "maxpool")):
    """Per step with a kink: the smallest distance to it / sd of the step's input."""
    return [((values[source].abs().min() if op == "relu" else pool_gap(values[source]))
             / values[source].std()).item()
            for _, name, source, op in operations(model) if op in ops]


def sides(model, values, name, source, op):
    """What decides the gradient's way: the mask of a ReLU, the winners of a pooling."""
    x = values[source]
    if op == "relu":
        return x > 0
    top, where = F.max_pool2d(x, 2, 2, return_indices=True)
    return torch.where(top > 0, where, -1)


def flips(model, values, others):
    """(number of elements that lie on different sides of their kink, number of elements,
    largest difference of an input of such a step / its sd)."""
    count, total, worst = 0, 0, 0.0
    for _, name, source, op in operations(model):
        ours, theirs = (sides(model, v, name, source, op) for v in (values, others))
        count += (ours != theirs).sum().item()
        total += ours.numel()
        x = values[source].double()
        worst = max(worst, ((others[source].double() - x).abs().max() / x.std()).item())
    return count, total, worst


def normalisation_before(model, name):
    """Index and name of the batch normalisation whose bias shifts the input of step `name`."""
    where = {step[0]: i for i, step in enumerate(model.steps)}
    while model.ops[name] != "batchnorm":
        name = model.steps[where[name]][2]
    return where[name], name


def widest_gap(x, sd):
    """Middle of the widest interval without a value in [-WIDEST sd, WIDEST sd]."""
    near = x[x.abs() <= WIDEST * sd].sort().values
    edges = torch.cat([x.new_tensor([-WIDEST * sd]), near, x.new_tensor([WIDEST * sd])])
    at = edges.diff().argmax()
    return ((edges[at] + edges[at + 1]) / 2).item()


def keep_off_zero(model, x):
    """Moves the biases of the batch normalisations, front to back, so that no input of a ReLU is near zero:
    each channel's zero goes to the middle of the widest gap between its values."""
    values, done = {"input": x}, 0
    for index, name, source, op in operations(model):
        if op != "relu":
            continue
        values_of(model, x, values, done, index)
        done, norm = normalisation_before(model, source)
        bias = model.get_submodule(norm).bias
        with torch.no_grad():
            for c in range(len(bias)):
                inputs = values[source][:, c].flatten()
                bias[c] = (bias[c] - widest_gap(inputs, inputs.std().item())).float().to(bias.dtype)


def rounding(model, values, others):
    """Per step with a kink: root mean square of the difference of two evaluations' inputs."""
    return {name: (others[source].double() - values[source]).square().mean().sqrt().item()
            for _, name, source, _ in operations(model)}


def turned_relu(x, margin, count):
    near = x.abs() < margin
    count[0] += near.sum().item()
    return x * ((x > 0) ^ near)


def turned_pool(x, margin, count):
    n, c, h, w = x.shape
    windows = F.unfold(x.flatten(0, 1)[:, None], 2, stride=2)
    top, where = windows.topk(2, 1)
    near = (top[:, 0] - top[:, 1] < margin) & (top[:, 0] > 0)
    count[0] += near.sum().item()
    winner = torch.where(near, where[:, 1], where[:, 0])[:, None]
    return windows.gather(1, winner).view(n, c, h // 2, w // 2)


def turn(model, margins):
    """Makes every value nearer to its kink than its step's margin take the other side.  Returns a list whose
    only element counts them."""
    count, turned = [0], {"relu": turned_relu, "maxpool": turned_pool}
    for index, name, source, op in operations(model):
        def function(x, op=op, margin=margins[name]):
            return turned[op](x, margin, count)
        model.steps[index] = (name, function, source, None)
    return count
