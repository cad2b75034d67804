"""Damage a file in many seeded ways and load it; run as a program of its own, under limits of memory and time.

    python -m tests.networks.loading.fuzz FILE COUNT

Prints one JSON object: how often it loaded, how often it was a LoadError, and anything else as a failure.
"""

from __future__ import annotations

import json
import random
import resource
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import torch

from networks.loading import LoadedNetwork, LoadError, load

MEMORY_BYTES = 1 << 30  # beyond what the program holds after a first load
SECONDS = 10.0  # for one load of a file of about 100 kB, on a busy machine


def damaged(data: bytes, seed: int) -> bytes:
    """One seeded kind of damage: flipped bits, a cut, a removed, repeated or overwritten stretch."""
    draw = random.Random(seed)
    where = draw.randrange(len(data))
    length = draw.choice((1, 2, 4, 16, 256))
    match draw.randrange(8):
        case 0:
            return data[:where]
        case 1:
            return data[:where] + data[where + length :]
        case 2:
            return data[:where] + data[where : where + length] * 2 + data[where + length :]
        case 3:
            return data[:where] + draw.randbytes(length) + data[where + length :]
        case 4:
            return data[:where] + b"\xff" * length + data[where + length :]
        case _:  # most often: flipped bits, one near the start of the file, where the structure is
            changed = bytearray(data)
            for _ in range(draw.choice((1, 1, 2, 8))):
                at = draw.choice((where, draw.randrange(min(len(data), 8192)), draw.randrange(len(data))))
                changed[at] ^= 1 << draw.randrange(8)
            return bytes(changed)


def outcome(path: Path) -> str:
    """ "loaded", "refused", or what went wrong."""
    start = time.perf_counter()
    try:
        found = load(path)
        result = "loaded" if isinstance(found, LoadedNetwork) else f"a {type(found).__name__}"
    except LoadError as error:
        result = "not enough memory" if "not enough memory" in str(error) else "refused"
        if len(str(error)) > 600 or not str(error).isprintable():
            result = f"an unreadable message: {str(error)!r}"
    except Exception as error:
        result = f"{type(error).__name__}: {error}"
    took = time.perf_counter() - start
    return result if took < SECONDS else f"{took:.1f} s"


def main() -> None:
    source, count = Path(sys.argv[1]), int(sys.argv[2])
    torch.set_num_threads(1)
    load(source)
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + MEMORY_BYTES, used + MEMORY_BYTES))
    data, results, failures = source.read_bytes(), Counter(), []
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / source.name
        for seed in range(count):
            path.write_bytes(damaged(data, seed))
            result = outcome(path)
            results[result if result in ("loaded", "refused") else "failed"] += 1
            if result not in ("loaded", "refused"):
                failures.append(f"seed {seed}: {result}")
    print(json.dumps({**results, "failures": failures[:20]}))


if __name__ == "__main__":
    main()
