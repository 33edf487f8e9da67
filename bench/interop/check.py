#!/usr/bin/env python3
"""Loads what lowbit quantizes into transformers with compressed-tensors, and compares weights bit for bit.

    python3 bench/interop/check.py --install DIR   make a virtual environment in DIR, then check with it
    python3 bench/interop/check.py                 check with this Python, which has the packages

Each scheme of compressed-tensors: lowbit quantizes checkpoint/testdata/ct/source, the library loads the result and decompresses it, and
every tensor of the model must have the bits that `lowbit dequantize` gives. The exit status is 1 if one has not.
"""

import argparse
import os
import pathlib
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
SOURCE = ROOT / "checkpoint" / "testdata" / "ct" / "source"
SCHEMES = ["w8a8", "w4a16", "w4a16-asym", "fp8-dynamic", "fp8-block", "nvfp4", "mxfp4"]
PACKAGES = ["torch", "transformers==5.24.0", "compressed-tensors==0.20.1", "accelerate"]


def install(folder):
    """Makes a virtual environment unless it is there, and returns its Python."""
    python = folder / "bin" / "python"
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", folder], check=True)
    subprocess.run([python, "-m", "pip", "install", "--quiet", *PACKAGES], check=True)
    return python


def load(folder):
    """Returns the tensors of the model that the library makes of a folder, decompressed."""
    import torch
    from transformers import AutoModelForCausalLM
    from transformers.utils.quantization_config import CompressedTensorsConfig

    model = AutoModelForCausalLM.from_pretrained(
        folder, dtype=torch.bfloat16, quantization_config=CompressedTensorsConfig(dequantize=True)
    )
    return model.state_dict()


def compare(plain, loaded):
    """Returns what is wrong with the tensors that the library has, a line each."""
    import torch
    from safetensors.torch import load_file

    wrong = []
    want = load_file(plain / "model.safetensors")
    for name, tensor in sorted(want.items()):
        got = loaded.get(name)
        if got is None:
            wrong.append(f"{name}: the library has no such tensor")
        elif got.dtype != tensor.dtype or got.shape != tensor.shape:
            wrong.append(f"{name}: {got.dtype} {tuple(got.shape)}, want {tensor.dtype} {tuple(tensor.shape)}")
        else:
            differ = (got.view(torch.int16) != tensor.view(torch.int16)).sum().item()
            if differ:
                wrong.append(f"{name}: {differ} of {tensor.numel()} elements differ")
    return len(want), wrong


def check(lowbit, scheme, folder):
    """Tells whether a scheme's tensors are those of the library."""
    out, plain = folder / scheme, folder / (scheme + "-plain")
    subprocess.run([lowbit, "quantize", "--preset", scheme, "--to", "compressed-tensors", "-o", out, SOURCE], check=True, stdout=subprocess.DEVNULL)
    subprocess.run([lowbit, "dequantize", "-o", plain, out], check=True, stdout=subprocess.DEVNULL)
    count, wrong = compare(plain, load(out))
    print(f"{scheme}: {count - len(wrong)} of {count} tensors have the same bits", flush=True)
    for line in wrong:
        print("    " + line)
    return not wrong


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--install", metavar="DIR", type=pathlib.Path, help="make a virtual environment with the packages, and use it")
    parser.add_argument("schemes", nargs="*", default=SCHEMES, help="which schemes; all unless any is given")
    args = parser.parse_args()
    if args.install:
        python = install(args.install.resolve())
        return subprocess.run([python, __file__, *args.schemes]).returncode
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    os.environ["CUDA_VISIBLE_DEVICES"] = ""
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        lowbit = folder / "lowbit"
        subprocess.run(["go", "build", "-o", lowbit, "./cmd/lowbit"], cwd=ROOT, check=True)
        passed = [check(lowbit, scheme, folder) for scheme in args.schemes]
    import compressed_tensors
    import torch
    import transformers

    print(f"torch {torch.__version__}, transformers {transformers.__version__}, compressed-tensors {compressed_tensors.__version__}")
    return 0 if all(passed) else 1


if __name__ == "__main__":
    sys.exit(main())
