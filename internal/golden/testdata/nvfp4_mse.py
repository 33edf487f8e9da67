"""Golden values of the range calculator mse for NVFP4, by numpy alone.

python3 nvfp4_mse.py writes calibration/nvfp4.safetensors, and puts its cases in the place of those of the kind nvfp4_mse in
calibration/cases.json. It shares nothing with the Go code: each block and each candidate is computed by itself, from
the formulas of the libraries and of docs/calibration.md.
"""
import json
import struct

import numpy as np

f32 = np.float32
np.seterr(all="ignore")


def bf16(x):
    """Round to bfloat16, half to even."""
    b = int(np.array(x, f32).view(np.uint32))
    if b & 0x7FFFFFFF > 0x7F800000:
        return f32(np.nan)
    return np.array((b + 0x7FFF + (b >> 16 & 1)) & 0xFFFF0000, np.uint32).view(f32)[()]


E4M3 = [c / 8 * 2.0**-6 if c < 8 else (1 + c % 8 / 8) * 2.0 ** (c // 8 - 7) for c in range(127)]
E2M1 = [0, 0.5, 1, 1.5, 2, 3, 4, 6]


def nearest(values, x):
    """The index of the nearest of ascending values, of two the even one."""
    d = [abs(x - v) for v in values]
    best = min(d)
    at = [i for i, v in enumerate(d) if v == best]
    return at[0] if len(at) == 1 else next(i for i in at if i % 2 == 0)


def e4m3(s):
    """The code of a scale, at most 448."""
    return 0x7F if s != s else nearest(E4M3, min(float(s), 448.0))


def e2m1(v):
    """A float32 rounded to float4; NaN stays."""
    if v != v:
        return v
    return f32(np.copysign(E2M1[nearest(E2M1, min(abs(float(v)), 6.0))], v))


class Torchao:
    least = 0x08  # 2^-6

    def __init__(self, most, two):
        self.g = f32(most / f32(2688)) if two else None

    def rule(self, m):
        s = f32(m / f32(6))
        if self.g is not None:
            s = f32(s / self.g)
        return e4m3(max(s, f32(2**-6)) if s == s else s)

    def fake(self, x, s):
        if self.g is None:
            return e2m1(f32(x * f32(f32(1) / s))) * s
        return e2m1(f32(x * f32(f32(f32(1) / self.g) / s))) * f32(self.g * s)


class ModelOpt:
    least = 0x01

    def __init__(self, most, _):
        self.g = f32(most / f32(2688))

    def rule(self, m):
        s = f32(m / f32(f32(6) * self.g))
        if s == 0:
            s = f32(1)
        return e4m3(max(s, f32(2**-9)) if s == s else s)

    def fake(self, x, s):
        v = f32(s * self.g)
        return e2m1(f32(x / v)) * v


class CompressedTensors:
    least = 0x01

    def __init__(self, most, _, to=bf16):
        self.to = to
        g = to(f32(to(f32(f32(1) / max(most, f32(2.0**-126)))) * f32(2688)))
        self.g = g if np.isfinite(g) else f32(1)

    def rule(self, m):
        return e4m3(f32(self.g * self.to(f32(m / f32(6))))) or e4m3(0.125)

    def fake(self, x, s):
        v = f32(s / self.g)
        return e2m1(f32(x / v)) * v


def error(x, y, w, norm):
    """Sixteen lanes, folded; a block is not longer than that."""
    lanes = [f32(0)] * 16
    for i in range(len(x)):
        e = f32(y[i] - x[i])
        t = f32(e * e)
        if norm == 2.5:
            t = f32(t * f32(np.sqrt(abs(e))))
        if w is not None:
            t = f32(t * w[i])
        lanes[i] = f32(lanes[i] + t)
    for half in (8, 4, 2, 1):
        for j in range(half):
            lanes[j] = f32(lanes[j] + lanes[j + half])
    return lanes[0]


def search(d, x, w, top, end, norm):
    """The code of a block's scale."""
    m = np.max(np.abs(x))  # NaN if there is one
    c = d.rule(m)
    if c == 0x7F or m == 0:
        return c
    best = None
    for step in range(top, end - 1, -1):
        k = min(max(c + step, d.least), 0x7E)
        e = error(x, [d.fake(v, f32(E4M3[k])) for v in x], w, norm)
        if best is None or e < best[0]:
            best = (e, k)
    return best[1]


def inputs():
    r = np.random.Generator(np.random.PCG64(20))
    heavy = (r.standard_normal((12, 64)) * np.exp(r.standard_normal((12, 64)))).astype(f32)
    heavy[1] = np.round(heavy[1] * 4) / 4  # ties
    heavy[2, :16] = 0
    heavy[2, 16:32] = heavy[2, 16]
    heavy[3] *= f32(2.0**-12)  # scales at the low end
    heavy[4] *= f32(2.0**-20)
    short = r.standard_normal((5, 40)).astype(f32)
    special = r.standard_normal((2, 32)).astype(f32)
    special[0, 3] = np.nan
    infinite = r.standard_normal((2, 32)).astype(f32)
    infinite[0, 3] = -np.inf
    weights = np.maximum(r.standard_normal(64), 0).astype(f32)
    weights[48:] = 0  # all candidates of the last block cost nothing
    return {"heavy": heavy, "short": short, "nan": special, "inf": infinite, "zero": np.zeros((2, 32), f32)}, weights


def main():
    shared, weights = inputs()
    tensors, cases = {"in.nvfp4.weights": weights}, []
    for name, x in shared.items():
        tensors["in.nvfp4." + name] = x
    dialects = {"torchao": Torchao, "modelopt": ModelOpt, "compressed_tensors": CompressedTensors}
    for name in shared:
        for dialect, two, dtype in (("torchao", 1, "f32"), ("torchao", 0, "f32"), ("modelopt", 1, "f32"), ("compressed_tensors", 1, "f32"),
                                    ("torchao", 1, "bf16"), ("compressed_tensors", 1, "bf16")):
            ways = [(8, -4, 2, 0)]
            if name == "heavy" and (dialect, two, dtype) in (("torchao", 1, "f32"), ("compressed_tensors", 1, "bf16")):
                ways += [(8, -4, 2.5, 0), (8, -4, 2, 1), (126, -126, 2, 0), (-1, -1, 2, 0)]
            for top, end, norm, weighted in ways:
                x = shared[name]
                if dtype == "bf16":
                    x = np.array([bf16(v) for v in x.ravel()], f32).reshape(x.shape)
                most = np.max(np.abs(x))
                d = dialects[dialect](most, two)
                if dialect == "compressed_tensors" and dtype == "f32":
                    d = CompressedTensors(most, two, f32)
                codes = [[search(d, row[i:i + 16], weights[i:i + 16] if weighted else None, top, end, norm) for i in range(0, x.shape[1], 16)] for row in x]
                case = f"nvfp4-{name}-{dialect}{two}-{dtype}-{top}-{end}-{norm}-{weighted}"
                tensors[case + ".scale"] = np.array(codes, np.uint8)
                tensors[case + ".global"] = np.array([0 if d.g is None else d.g], f32)
                cases.append({"file": "nvfp4", "name": case, "kind": "nvfp4_mse", "params": {
                    "input": "nvfp4." + name, "dialect": dialect, "two": bool(two), "dtype": dtype, "from": top, "to": end, "norm": norm, "weighted": weighted}})
    save("calibration/nvfp4.safetensors", tensors)
    with open("calibration/cases.json") as f:
        others = [c for c in json.load(f) if c["kind"] != "nvfp4_mse"]
    with open("calibration/cases.json", "w") as f:
        f.write("[" + ",\n".join(json.dumps(c, separators=(",", ":")) for c in others + cases) + "]")


def save(path, tensors):
    head, data = {}, b""
    for name, x in tensors.items():
        b = x.astype(x.dtype.newbyteorder("<")).tobytes()
        head[name] = {"dtype": {"float32": "F32", "uint8": "U8"}[x.dtype.name], "shape": list(x.shape), "data_offsets": [len(data), len(data) + len(b)]}
        data += b
    text = json.dumps(head).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as f:
        f.write(struct.pack("<Q", len(text)) + text + data)


if __name__ == "__main__":
    main()
