"""PyTorch's side of `sterna bench train`: serves training steps over stdin and stdout.

A request is one line of JSON, a reply too. `build` is followed by raw float32 data: the parameters in their order,
then the images. The network comes as a list of operators under ONNX's names; each becomes the call that a PyTorch
user would write, and a step is forward, cross-entropy, backward and torch.optim.SGD. ReLU works in place where
nothing else reads its input, and no activation is held longer than autograd holds it.
"""

import json
import re
import resource
import sys
import time

import torch
import torch.nn.functional as F


def padded(x, pads, value=0.0):
    """Symmetric pads are left to the operator; others are written out."""
    top, left, bottom, right = pads
    if top == bottom and left == right:
        return x, (top, left)
    return F.pad(x, (left, right, top, bottom), value=value), (0, 0)


def convolution(a):
    def run(x, weight, bias=None):
        x, padding = padded(x, a["pads"])
        return F.conv2d(x, weight, bias, a["strides"], padding, a["dilations"], a["groups"])

    return run


def linear(a):
    if a["transA"] or not a["transB"] or a["alpha"] != 1 or a["beta"] != 1:
        raise ValueError(f"Gemm {a} is no fully connected layer")
    return F.linear


def batch_norm(a):
    def run(x, scale, bias, mean, variance):
        return F.batch_norm(x, mean, variance, scale, bias, True, 1 - a["momentum"], a["epsilon"])

    return run


def max_pool(a):
    def run(x):
        x, padding = padded(x, a["pads"], float("-inf"))
        return F.max_pool2d(x, a["kernel"], a["strides"], padding)

    return run


def cut(a):
    def run(x):
        index = [slice(None)] * x.dim()
        for start, end, axis, step in zip(a["starts"], a["ends"], a["axes"], a["steps"]):
            index[axis] = slice(start, end, step)
        return x[tuple(index)]

    return run


def pad(a):
    def run(x):
        rank = x.dim()
        widths = [w for axis in reversed(range(rank)) for w in (a["pads"][axis], a["pads"][rank + axis])]
        return F.pad(x, widths, value=a["value"])

    return run


OPERATORS = {
    "Add": lambda a: torch.add,
    "BatchNormalization": batch_norm,
    "Conv": convolution,
    "Flatten": lambda a: lambda x: torch.flatten(x, a["axis"]),
    "Gemm": linear,
    "GlobalAveragePool": lambda a: lambda x: F.adaptive_avg_pool2d(x, 1),
    "MaxPool": max_pool,
    "Pad": pad,
    "Slice": cut,
}


class Step:
    def __init__(self, request, data):
        torch.set_num_threads(request["threads"])
        values = iter(self.tensors(request, data))
        statistics = set(request["statistics"])
        self.held = {}
        learned = []
        for parameter in request["parameters"]:
            value = next(values)
            if parameter["name"] not in statistics:
                value.requires_grad_()
                learned.append(value)
            self.held[parameter["name"]] = value
        self.images = next(values)
        self.labels = torch.tensor(request["labels"])
        self.input, self.output = request["input"], request["output"]
        self.calls = self.plan(request["nodes"])
        self.optimiser = torch.optim.SGD(
            learned, lr=0.0, momentum=request["momentum"], weight_decay=request["weightDecay"]
        )

    @staticmethod
    def tensors(request, data):
        everything = torch.frombuffer(data, dtype=torch.float32)
        offset = 0
        for shape in [parameter["shape"] for parameter in request["parameters"]] + [request["imageShape"]]:
            size = 1
            for length in shape:
                size *= length
            yield everything[offset : offset + size].reshape(shape).clone()
            offset += size

    def plan(self, nodes):
        """(call, inputs, output, inputs that nothing reads later) for each operator."""
        readers = [name for node in nodes for name in node["inputs"]]
        last = {name: index for index, node in enumerate(nodes) for name in node["inputs"]}
        calls = []
        for index, node in enumerate(nodes):
            if node["op"] == "Relu":
                is_only_reader = readers.count(node["inputs"][0]) == 1 and node["inputs"][0] != self.input
                call = F.relu_ if is_only_reader else F.relu
            else:
                call = OPERATORS[node["op"]](node["attributes"])
            done = {name for name in node["inputs"] if last[name] == index and name not in self.held}
            calls.append((call, node["inputs"], node["outputs"][0], done))
        return calls

    def forward(self):
        values = {self.input: self.images}
        for call, inputs, output, done in self.calls:
            result = call(*[self.held[name] if name in self.held else values[name] for name in inputs])
            for name in done:
                del values[name]
            values[output] = result
        return values[self.output]

    def run(self):
        self.optimiser.zero_grad(set_to_none=True)
        loss = F.cross_entropy(self.forward(), self.labels)
        loss.backward()
        self.optimiser.step()
        return loss.item()


def matrix_product_gflops():
    """Of 1024³, the best of five: what the linear algebra library behind PyTorch is worth."""
    a = torch.ones(1024, 1024)
    best = float("inf")
    for _ in range(5):
        started = time.perf_counter()
        torch.mm(a, a)
        best = min(best, time.perf_counter() - started)
    return 2 * 1024**3 / best / 1e9


def peak_memory():
    """Bytes; ru_maxrss would count the parent process, from which this one was forked."""
    try:
        with open("/proc/self/status") as status:
            return int(re.search(r"VmHWM:\s*(\d+) kB", status.read()).group(1)) * 1024
    except OSError:
        unit = 1 if sys.platform == "darwin" else 1024
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def main():
    step = None
    for line in iter(sys.stdin.buffer.readline, b""):
        request = json.loads(line)
        if request["call"] == "build":
            step = Step(request, bytearray(sys.stdin.buffer.read(request["dataBytes"])))
            gflops = matrix_product_gflops()
            reply = {"description": f"PyTorch {torch.__version__}", "matrixProductGflops": gflops}
        elif request["call"] == "run":
            for group in step.optimiser.param_groups:
                group["lr"] = request["learningRate"]
            reply = {"losses": [step.run() for _ in range(request["steps"])]}
        else:
            reply = {"peakMemoryBytes": peak_memory()}
        sys.stdout.write(json.dumps(reply) + "\n")
        sys.stdout.flush()


main()
