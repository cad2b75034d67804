"""Calls every kernel of an instrumented library in buffers of exactly the promised sizes: `native_conv_driver.py LIBRARY`.

Runs in a process of its own with the sanitizer's runtime preloaded, so it imports neither torch nor numpy: memory comes from malloc, each
buffer ends where a byte further is an error.
"""

import ctypes
import itertools
import sys

NAMES = ("batch", "in_channels", "out_channels", "in_height", "in_width", "kernel", "padding", "threads")
POINTERS = ("x", "weight", "in_scale", "out_scale", "bias", "out", "scratch")
SIZES = ((1, 1), (3, 5), (8, 8), (13, 37), (41, 30), (6, 131))
CHANNELS = ((1, 1), (5, 3), (18, 70))


class ConvCall(ctypes.Structure):
    _fields_ = [(name, ctypes.c_int64) for name in NAMES] + [(name, ctypes.c_void_p) for name in POINTERS]


def main() -> None:
    library = ctypes.CDLL(sys.argv[1])
    libc = ctypes.CDLL(None)
    libc.malloc.argtypes, libc.malloc.restype = [ctypes.c_size_t], ctypes.c_void_p
    libc.free.argtypes, libc.free.restype = [ctypes.c_void_p], None
    libc.memset.argtypes = [ctypes.c_void_p, ctypes.c_int, ctypes.c_size_t]
    calls = 0
    for level, algorithm in itertools.product(range(4), ("winograd", "strassen", "gemm", "bf16")):
        library.af_limit_level(level)
        entry = {part: getattr(library, f"af_conv_{algorithm}{part}") for part in ("_weight_bytes", "_pack", "_scratch_bytes", "")}
        for part in ("_weight_bytes", "_scratch_bytes"):
            entry[part].restype = ctypes.c_int64
        if entry["_weight_bytes"](ctypes.c_int64(1), ctypes.c_int64(1)) == 0:
            continue
        for kernel, padding, (height, width), (ins, outs) in itertools.product((1, 3), (0, 1, 2), SIZES, CHANNELS):
            out_height, out_width = height + 2 * padding - kernel + 1, width + 2 * padding - kernel + 1
            if min(out_height, out_width) < 1 or (algorithm == "winograd" and kernel == 1):
                continue
            if algorithm == "strassen" and (kernel, padding) != (1, 0):
                continue
            batch, threads = 1 + calls % 2, 1 + calls % 3
            depth = ins if algorithm == "winograd" else ins * kernel * kernel
            call = ConvCall(batch, ins, outs, height, width, kernel, padding, threads)
            call.weight = libc.malloc(entry["_weight_bytes"](ctypes.c_int64(outs), ctypes.c_int64(depth)))
            plain_bytes = outs * ins * kernel * kernel * 4
            plain = libc.malloc(plain_bytes)
            libc.memset(plain, 0, plain_bytes)
            entry["_pack"](ctypes.c_int64(outs), ctypes.c_int64(depth), ctypes.c_void_p(plain), ctypes.c_void_p(call.weight))
            libc.free(plain)
            sizes = {"x": batch * ins * height * width, "in_scale": batch * ins, "out_scale": batch * outs, "bias": outs}
            for name, count in sizes.items():
                setattr(call, name, libc.malloc(count * 4))
                libc.memset(getattr(call, name), 0, count * 4)
            call.out = libc.malloc(batch * outs * out_height * out_width * 4)
            call.scratch = libc.malloc(entry["_scratch_bytes"](ctypes.byref(call)))
            entry[""](ctypes.byref(call))
            for name in POINTERS:
                libc.free(getattr(call, name))
            calls += 1
    print(f"{calls} calls without a complaint")


if __name__ == "__main__":
    main()
