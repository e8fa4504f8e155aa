"""Random reads through the real hexz's Python reader: random-read.py PACKAGE ARCHIVE OFFSETS LENGTH WARMUP

OFFSETS is a file of little-endian u64 positions. The first WARMUP reads are made and not counted. Prints the times of
the others in microseconds as one JSON document. The same offsets, one read at a time, as random-read.mjs."""

import array
import json
import sys
from time import perf_counter_ns

package, archive, offsets_file, length, warmup = sys.argv[1:]
sys.path.insert(0, package)
import hexz

offsets = array.array("Q")
with open(offsets_file, "rb") as file:
    offsets.frombytes(file.read())
length = int(length)
warmup = int(warmup)

times = []
check = 0
# Read-ahead only helps reads in order, and its threads would compete with the reads that are timed.
with hexz.open(archive, prefetch=False) as reader:
    read = reader.read
    for offset in offsets:
        begin = perf_counter_ns()
        data = read(length, offset=offset)
        times.append(perf_counter_ns() - begin)
        # Looked at outside the clock, so that both sides can be seen to have read the same bytes.
        check = (check * 31 + data[0] + data[-1] * 256) % 4294967291

times = sorted(times[warmup:])
print(
    json.dumps(
        {
            "median": times[len(times) // 2] / 1000,
            "p99": times[len(times) * 99 // 100] / 1000,
            "mean": sum(times) / len(times) / 1000,
            "check": check,
        }
    )
)
