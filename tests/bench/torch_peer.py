"""PyTorch's side of peers.py: the networks of unet.dg, mlp.dg and dit.dg by the same names of parameters, and the lines that worker.c answers.

    torch_peer.py NETWORK ENTRY PRECISION WEIGHTS CONFIG      f32 | bf16; CONFIG as JSON
    torch_peer.py NETWORK onnx f32 WEIGHTS CONFIG             writes the network to CONFIG["onnx"] and ends
"""
import json
import math
import struct
import sys
import time

import numpy
import torch
from torch.nn import functional as F


def read_weights(path):
    """Parameters by name; linear layers as PyTorch wants them, [out, in]."""
    with open(path, "rb") as f:
        header = json.loads(f.read(struct.unpack("<Q", f.read(8))[0]))
        data = f.read()
    weights = {}
    for name, t in header.items():
        if name == "__metadata__":
            continue
        lo, hi = t["data_offsets"]
        a = numpy.frombuffer(data[lo:hi], "<f4").reshape(t["shape"]).copy()
        weights[name[len("net."):]] = torch.from_numpy(numpy.ascontiguousarray(a.T) if a.ndim == 2 else a)
    return weights


class Net(torch.nn.Module):
    def __init__(self, weights, config):
        super().__init__()
        self.names = {name: name.replace(".", "/") for name in weights}  # a dot is no part of a parameter's name here
        for name, w in weights.items():
            self.register_parameter(self.names[name], torch.nn.Parameter(w))
        self.config = config

    def w(self, name):
        return getattr(self, self.names[name])

    def linear(self, path, x):
        return F.linear(x, self.w(path + ".w"), self.w(path + ".b"))

    def time(self, path, t, ch):
        half = ch // 2
        freq = torch.exp(-math.log(10000.0) * torch.arange(half, dtype=torch.float32) / half)
        a = t.float()[:, None] * freq[None]
        return self.linear(path + ".fc2", F.silu(self.linear(path + ".fc1", torch.cat([torch.cos(a), torch.sin(a)], 1))))

    def heads(self, path, x, heads):
        b, n, d = x.shape
        q, k, v = self.linear(path + ".qkv", x).reshape(b, n, 3, heads, d // heads).permute(2, 0, 3, 1, 4)
        s = torch.softmax(torch.matmul(q, k.transpose(-1, -2)) * (d // heads) ** -0.5, -1)
        return self.linear(path + ".proj", torch.matmul(s, v).transpose(1, 2).reshape(b, n, d))


class Unet(Net):
    def conv(self, path, x, stride=1):
        w = self.w(path + ".w")
        return F.conv2d(x, w, self.w(path + ".b"), stride=stride, padding=int(w.shape[-1]) // 2)

    def norm(self, path, x):
        x = x.float()  # nothing in f32; torch 1.13 has no group norm of bf16 by parameters of f32 on CPU
        return F.group_norm(x, min(32, int(x.shape[1])), self.w(path + ".g"), self.w(path + ".b"), 1e-5)

    def block(self, path, x, emb):
        h = self.conv(path + ".conv1", F.silu(self.norm(path + ".norm1", x)))
        h = F.silu(self.norm(path + ".norm2", h + self.linear(path + ".emb", F.silu(emb))[:, :, None, None]))
        h = self.conv(path + ".conv2", F.dropout(h, self.config["drop"], self.training))
        return h + (self.conv(path + ".skip", x) if path + ".skip.w" in self.names else x)

    def attention(self, path, x):
        if path + ".mha.qkv.w" not in self.names:
            return x
        b, c, height, width = x.shape
        tokens = self.norm(path + ".norm", x).flatten(2).transpose(1, 2)
        return x + self.heads(path + ".mha", tokens, 1).transpose(1, 2).reshape(b, c, height, width)

    def forward(self, x, t):
        c = self.config
        emb = self.time("unet.time", t, c["ch"])
        h = self.conv("unet.stem", x)
        skips, levels = [h], len(c["mults"])
        for i in range(levels):
            for j in range(2):
                h = self.attention(f"unet.down.{i}.{j}.attn", self.block(f"unet.down.{i}.{j}", h, emb))
                skips.append(h)
            if i + 1 < levels:
                h = self.conv(f"unet.down.{i}.shrink", h, 2)
                skips.append(h)
        h = self.block("unet.mid3", self.attention("unet.mid2", self.block("unet.mid1", h, emb)), emb)
        for i in reversed(range(levels)):
            for j in range(3):
                h = self.attention(f"unet.up.{i}.{j}.attn", self.block(f"unet.up.{i}.{j}", torch.cat([h, skips.pop()], 1), emb))
            if i > 0:
                h = self.conv(f"unet.up.{i}.grow", F.interpolate(h, scale_factor=2.0, mode="nearest"))
        return self.conv("unet.head", F.silu(self.norm("unet.norm", h)))


class Mlp(Net):
    def forward(self, x, t):
        h = torch.cat([x, self.time("mlp.time", t, 32)], 1)
        for i in range(3):
            h = F.silu(self.linear(f"mlp.fc{i}", h))
        return self.linear("mlp.head", h)


class Dit(Net):
    def norm(self, x, shift, scale):
        return F.layer_norm(x, x.shape[-1:], eps=1e-6) * (1 + scale[:, None]) + shift[:, None]

    def positions(self, rows, cols, width):
        freq = 10000.0 ** (-torch.arange(width // 4, dtype=torch.float32) / (width / 4))
        line = lambda n: torch.arange(n, dtype=torch.float32)[:, None] * freq[None]
        both = lambda a: torch.cat([torch.sin(a), torch.cos(a)], 1)
        r = both(line(rows))[:, None].expand(rows, cols, width // 2)
        c = both(line(cols))[None].expand(rows, cols, width // 2)
        return torch.cat([r, c], 2).reshape(1, rows * cols, width)

    def forward(self, x, t):
        b, channels, height, width = x.shape
        k, p = self.config, 2
        h = x.reshape(b, channels, height // p, p, width // p, p).permute(0, 2, 4, 3, 5, 1).reshape(b, -1, p * p * channels)
        h = self.linear("dit.patch", h) + self.positions(height // p, width // p, k["width"])
        c = F.silu(self.time("dit.time", t, 256))
        for i in range(k["depth"]):
            path = f"dit.blocks.{i}"
            sa, ca, ga, sm, cm, gm = self.linear(path + ".ada", c).chunk(6, 1)
            h = h + ga[:, None] * self.heads(path + ".attn", self.norm(h, sa, ca), k["heads"])
            m = self.linear(path + ".fc1", self.norm(h, sm, cm))
            h = h + gm[:, None] * self.linear(path + ".fc2", F.gelu(m))
        s, k = self.linear("dit.ada", c).chunk(2, 1)
        h = self.linear("dit.head", self.norm(h, s, k))
        return h.reshape(b, height // p, width // p, p, p, channels).permute(0, 5, 1, 3, 2, 4).reshape(b, channels, height, width)


def alpha_bar():
    return torch.cumprod(1 - torch.linspace(1e-4, 0.02, 1000, dtype=torch.float64), 0).float()


def trainer(net, lr, ema):
    net.train()
    params = list(net.parameters())
    optimiser = torch.optim.Adam(params, lr=lr, foreach=True)
    average = [p.detach().clone() for p in params] if ema else []
    a = alpha_bar()

    def step(x):
        t = torch.randint(0, 1000, (len(x),))
        noise = torch.randn_like(x)
        c = a[t].reshape([-1] + [1] * (x.ndim - 1))
        loss = F.mse_loss(net(c.sqrt() * x + (1 - c).sqrt() * noise, t), noise)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        optimiser.step()
        if average:
            with torch.no_grad():
                torch._foreach_mul_(average, 0.9999)
                torch._foreach_add_(average, params, alpha=1 - 0.9999)
        return loss

    return step


def ddim50(net):
    a = alpha_bar().tolist()

    def run(x):
        for k in reversed(range(50)):
            now, then = a[20 * k], a[20 * k - 20] if k else 1.0
            eps = net(x, torch.full((len(x),), 20 * k))
            x0 = ((x - math.sqrt(1 - now) * eps) / math.sqrt(now)).clamp(-1, 1)
            eps = (x - math.sqrt(now) * x0) / math.sqrt(1 - now)
            x = math.sqrt(then) * x0 + math.sqrt(1 - then) * eps
        return x

    return run


def main():
    network, entry, precision, weights, config = sys.argv[1:6]
    config = json.loads(config)
    torch.set_num_threads(2)
    net = {"unet": Unet, "mlp": Mlp, "dit": Dit}[network](read_weights(weights), config)
    net.eval()
    shape = [config["batch"], config["channels"], 32, 32] if network != "mlp" else [config["batch"], 2]
    inputs = {"x": torch.zeros(shape), "t": torch.zeros(shape[0], dtype=torch.int64)}
    if entry == "onnx":
        with torch.no_grad():
            torch.onnx.export(net, (inputs["x"], inputs["t"]), config["onnx"], opset_version=16, input_names=["x", "t"],
                              output_names=["y"], do_constant_folding=True)
        return
    step = trainer(net, config.get("lr", 2e-4), network != "mlp") if entry == "step" else ddim50(net) if entry == "ddim50" else None

    def once():
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=precision == "bf16"), torch.set_grad_enabled(entry == "step"):
            return step(inputs["x"]) if step else net(inputs["x"], inputs["t"])

    result = None
    print("ready", flush=True)
    for line in sys.stdin:
        word, *rest = line.split()
        if word == "in":
            kind = "<f4" if rest[0] == "x" else "<i4"
            data = torch.from_numpy(numpy.fromfile(rest[1], kind)).reshape(inputs[rest[0]].shape)
            inputs[rest[0]] = data.to(inputs[rest[0]].dtype)
            print("ok", flush=True)
        elif word == "run":
            times = []
            for _ in range(int(rest[0])):
                start = time.perf_counter()
                result = once()
                times.append((time.perf_counter() - start) * 1e3)
            print(*times, flush=True)
        elif word == "out":
            result.detach().float().numpy().tofile(rest[0])
            print("ok", flush=True)


main()
