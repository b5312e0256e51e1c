#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""PyTorch's and NumPy's side of the comparisons: torch_peer.py [DEVICE].  Stays alive and takes one sample at a
time.  One JSON object a line on standard input, one on standard output:
  {"make": "conv", "pass": "forward|data|filter", "layout": "nchw|channels_last", n c h w k r s stride pad}
  {"make": "mm", "library": "torch|numpy", m n k trans_a trans_b}
  {"make": "optimizer", "mode": "loop|foreach|fused", weights tensors}
  {"make": "step", "description": FILE, "batch", "mode": "nchw|channels_last|compile_nchw|compile_channels_last"}
  {"run": ID}  {"close": ID}  {"memory": true|"reset"}  {"tensors": ID}
Random data, never zeros.  On a GPU (DEVICE cuda) all is fp32 without TF32, cuDNN may try its algorithms, and
a sample ends when the device has.  peer.py starts it with tuned malloc thresholds: with the stock ones glibc returns
and faults in the activations at every step, which costs PyTorch up to a tenth."""
import json
import pathlib
import sys
import time

import numpy  # before torch: its threads are made before those of OpenMP are bound
import torch

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "tests" / "oracle"))
DEVICE = sys.argv[1] if len(sys.argv) > 1 else "cpu"
FORMATS = {"nchw": torch.contiguous_format, "channels_last": torch.channels_last}


def finish():
    if DEVICE != "cpu":
        torch.get_device_module(torch.device(DEVICE)).synchronize()


def random(*shape, layout="nchw"):
    return (torch.rand(*shape) * 2 - 1).contiguous(memory_format=FORMATS[layout])


def make_conv(a):
    n, c, h, w, k, r, s, stride, pad = (a[name] for name in "n c h w k r s stride pad".split())
    x, weight = random(n, c, h, w, layout=a["layout"]), random(k, c, r, s, layout=a["layout"])
    if a["pass"] == "forward":
        return lambda: torch.nn.functional.conv2d(x, weight, None, stride, pad)
    y = torch.nn.functional.conv2d(x, weight, None, stride, pad)
    dy = random(*y.shape, layout=a["layout"])
    wanted = [a["pass"] == "data", a["pass"] == "filter", False]
    return lambda: torch.ops.aten.convolution_backward(dy, x, weight, None, [stride, stride], [pad, pad], [1, 1],
                                                       False, [0, 0], 1, wanted)


def make_mm(a):
    x = random(*((a["k"], a["m"]) if a["trans_a"] else (a["m"], a["k"])))
    y = random(*((a["n"], a["k"]) if a["trans_b"] else (a["k"], a["n"])))
    x, y = x.T if a["trans_a"] else x, y.T if a["trans_b"] else y
    if a["library"] == "torch":
        out = torch.empty(a["m"], a["n"])
        return lambda: torch.mm(x, y, out=out)
    x, y, out = x.cpu().numpy(), y.cpu().numpy(), numpy.empty((a["m"], a["n"]), numpy.float32)
    return lambda: numpy.matmul(x, y, out=out)


def make_optimizer(a):
    parameters = [torch.nn.Parameter(0.1 * torch.randn(a["weights"] // a["tensors"])) for _ in range(a["tensors"])]
    for p in parameters:
        p.grad = torch.randn_like(p)
    how = {"loop": {"foreach": False}, "foreach": {"foreach": True}, "fused": {"fused": True}}[a["mode"]]
    return torch.optim.Adam(parameters, 1e-4, **how).step


def make_step(a):
    """Forward, cross-entropy, backward, SGD with momentum: what `lehr time` times."""
    from described import Described
    layout = FORMATS[a["mode"].removeprefix("compile_")]
    torch.manual_seed(1)
    model = Described(pathlib.Path(a["description"]).read_text()).train().to(memory_format=layout)
    c, h, w = model.shapes["input"]
    x = torch.randn(a["batch"], c, h, w).contiguous(memory_format=layout)
    labels = torch.randint(0, model.shapes[model.output][0], (a["batch"],))
    optimizer = torch.optim.SGD(model.parameters(), 0.01, momentum=0.9, foreach=True)
    criterion = torch.nn.CrossEntropyLoss()

    def loss():
        return criterion(model(x), labels)

    if a["mode"].startswith("compile_"):
        loss = torch.compile(loss)

    def step():
        optimizer.zero_grad(set_to_none=True)
        loss().backward()
        optimizer.step()

    return step


def most_tensor_bytes(work):
    """Peak of what PyTorch's allocator has handed out during one step, above what was there before it."""
    with torch.profiler.profile(profile_memory=True) as profile:
        work()
    most = now = 0
    for event in sorted((e for e in profile.profiler.kineto_results.events() if e.name() == "[memory]"),
                        key=lambda e: e.start_ns()):
        now += event.nbytes()
        most = max(most, now)
    return most


def memory(reset):
    if reset:
        try:
            pathlib.Path("/proc/self/clear_refs").write_text("5")
        except OSError:
            pass
    lines = pathlib.Path("/proc/self/status").read_text().splitlines()
    values = {line.split(":")[0]: line.split()[1] for line in lines if line.startswith(("VmRSS", "VmHWM"))}
    return {"rss": int(values["VmRSS"]) / 1024, "peak": int(values["VmHWM"]) / 1024}


def sample(item):
    """As lehr-bench-serve: runs of 20 ms, of steps 100 ms, after one that brings the data into the caches."""
    def timed(times):
        start = time.perf_counter()
        for _ in range(times):
            item["work"]()
        finish()
        return time.perf_counter() - start

    if not item["runs"]:
        seconds = [timed(1) for _ in range(3)][-1]
        item["runs"] = int((0.1 if item["step"] else 0.02) / seconds) + 1
    timed(1)
    return 1e3 * timed(item["runs"]) / item["runs"]


def device_name():
    return DEVICE if DEVICE == "cpu" else torch.get_device_module(torch.device(DEVICE)).get_device_name()


def answer(request, items):
    if "make" in request:
        make = globals()["make_" + request["make"]]
        items[len(items)] = {"work": make(request), "runs": 0, "step": request["make"] == "step"}
        return {"id": len(items) - 1}
    if "run" in request:
        return {"ms": sample(items[request["run"]])}
    if "tensors" in request:
        return {"mib": most_tensor_bytes(items[request["tensors"]]["work"]) / 1048576}
    if "close" in request:
        items[request["close"]] = None
        return {}
    if "versions" in request:
        return {"torch": torch.__version__, "numpy": numpy.__version__,
                "onednn": ".".join(w for w in torch.__config__.show().split() if w.startswith("v"))[:20],
                "threads": torch.get_num_threads(), "device": device_name()}
    return memory(request["memory"] == "reset")


def main():
    torch.set_default_device(DEVICE)
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False
    torch.backends.cudnn.benchmark = True
    torch.manual_seed(1)
    items = {}
    for line in sys.stdin:
        with torch.enable_grad():
            print(json.dumps(answer(json.loads(line), items)), flush=True)


main()
