"""Writes HDF5 files with h5py, and beside each, as JSON, what a reader must find in them.

make-hdf5.py DIRECTORY
"""

import hashlib
import json
import struct
import sys

import h5py
import numpy as np

RANDOM = np.random.default_rng(7)


def expanded(values, kind):
    """Variable lengths as a count in 32 bits and the items, fixed parts as they are."""
    out = bytearray()
    for value in np.asarray(values).ravel():
        out += expanded_one(value, kind)
    return bytes(out)


def expanded_one(value, kind):
    if kind == "string":
        data = value if isinstance(value, bytes) else value.encode()
        return struct.pack("<I", len(data)) + data
    if isinstance(kind, np.dtype):
        return struct.pack("<I", len(value)) + np.asarray(value, kind).tobytes()
    parts = bytearray()
    for name, part in kind:
        if part is None:
            parts += value[name].tobytes()
        else:
            parts += expanded_one(value[name], part)
    return bytes(parts)


def fill(f):
    """All kinds of datasets; answers how those of variable length look."""
    f.attrs["title"] = "a title"
    f.attrs["numbers"] = np.arange(6, dtype=">i4").reshape(2, 3)
    f.attrs["empty"] = h5py.Empty("f4")
    f.attrs["texts"] = ["a", "é"]
    f.attrs["not a number"] = np.float64("nan")
    f.attrs["half"] = np.float16(1.5)
    f.attrs["large"] = np.uint64(2**64 - 1)
    f.attrs["pair"] = np.array((1, 2.5), dtype=[("x", "<i2"), ("y", ">f8")])
    group = f.create_group("group")
    group.attrs["units"] = "m"
    f["contiguous"] = RANDOM.standard_normal((100, 1000))
    f["big-endian"] = np.arange(1000, dtype=">f4")
    group.create_dataset(
        "chunked",
        data=RANDOM.integers(0, 100, (300, 401)).astype("i4"),
        chunks=(64, 100),
        compression="gzip",
        shuffle=True,
        fletcher32=True,
    )
    group.create_dataset("big-endian", data=np.arange(1000, dtype=">i2").reshape(10, 100), chunks=(3, 30))
    group.create_dataset("cube", data=RANDOM.integers(0, 9, (7, 11, 13)).astype("u1"), chunks=(2, 5, 7), compression="gzip")
    f.create_dataset("unfiltered", data=np.arange(5000), chunks=(512,))
    f.create_dataset("scale-offset", data=np.arange(1000), chunks=(100,), scaleoffset=0)
    f.create_dataset("lzf", data=np.arange(5000), chunks=(1000,), compression="lzf")
    f.create_dataset("scalar", data=np.float32(3.5))
    f.create_dataset("empty", data=h5py.Empty("i4"))
    f.create_dataset("no-rows", shape=(0, 4), dtype="i4")
    f.create_dataset("strings", data=np.array([b"abc", b"de"], dtype="S5"))
    f.create_dataset("booleans", data=np.array([True, False, True]))
    f.create_dataset("halves", data=np.arange(10, dtype="f2"))
    f.create_dataset(
        "enum", data=np.array([1, 2, 1], dtype="i1"), dtype=h5py.enum_dtype({"A": 1, "B": 2}, basetype="i1")
    )
    compound = np.dtype([("x", "<i4"), ("y", "<f8", (2,)), ("s", "S3")])
    f.create_dataset("compound", data=np.array([(1, [2, 3], b"ab"), (4, [5, 6], b"cd")], dtype=compound))
    mixed = np.zeros(5, dtype=[("x", ">i4"), ("y", "<f8")])
    mixed["x"] = range(5)
    f.create_dataset("mixed-endian", data=mixed, chunks=(2,))
    swapped = np.zeros(5, dtype=[("x", ">i4"), ("y", ">f8", (3,))])
    swapped["y"] = RANDOM.standard_normal((5, 3))
    f.create_dataset("compound-big-endian", data=swapped, chunks=(2,))
    f.create_dataset("complex", data=np.array([1 + 2j, 3]))
    f.create_dataset("opaque", data=np.array([b"1234", b"abcd"], dtype="V4"))
    f.create_dataset("unwritten", shape=(1000,), dtype="i4", fillvalue=7)
    f.create_dataset("unwritten-chunks", shape=(100, 100), dtype="f8", chunks=(10, 10), fillvalue=1.5)
    f.create_dataset("references", data=np.array([group.ref, f["contiguous"].ref], dtype=h5py.ref_dtype))
    creation = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    creation.set_layout(h5py.h5d.COMPACT)
    space = h5py.h5s.create_simple((4,))
    compact = h5py.h5d.create(f.id, b"compact", h5py.h5t.NATIVE_INT32, space, dcpl=creation)
    compact.write(h5py.h5s.ALL, h5py.h5s.ALL, np.arange(4, dtype="i4"))
    layout = h5py.VirtualLayout(shape=(100, 1000), dtype="f8")
    layout[:] = h5py.VirtualSource(".", "contiguous", shape=(100, 1000))
    f.create_virtual_dataset("virtual", layout)

    texts = ["a", "bcd", "é", ""]
    f.create_dataset("texts", data=texts, dtype=h5py.string_dtype())
    f.create_dataset("text", data="one", dtype=h5py.string_dtype())
    lists = f.create_dataset("lists", (3,), dtype=h5py.vlen_dtype("i4"))
    items = [[1, 2], [], [3]]
    for number, item in enumerate(items):
        lists[number] = item
    record = np.dtype([("n", "i4"), ("s", h5py.string_dtype())])
    records = f.create_dataset("records", (2,), dtype=record)
    records[0] = (1, "hi")
    records[1] = (2, "")

    f["link"] = h5py.SoftLink("/contiguous")
    group["relative"] = h5py.SoftLink("chunked")
    f["dangling"] = h5py.SoftLink("/nothing")
    f["external"] = h5py.ExternalLink("other.h5", "/x")
    f["again"] = f["group/chunked"]
    f["group/loop"] = f["group"]
    f["datatype"] = np.dtype("<i4")
    return {
        "/texts": expanded(texts, "string"),
        "/text": expanded(["one"], "string"),
        "/lists": b"".join(expanded_one(item, np.dtype("<i4")) for item in items),
        "/records": expanded(records[:], [("n", None), ("s", "string")]),
    }


def offset_of(f, item):
    offset = item.id.get_offset()
    # With a user block, h5py adds its length also to the -1 of what is nowhere.
    return None if offset == f.userblock_size - 1 else offset


def describe(path, variable):
    datasets = {}
    with h5py.File(path) as f:

        def visit(name, item):
            if not isinstance(item, h5py.Dataset):
                return
            name = "/" + name
            if name in variable:
                raw = variable[name]
            elif item.shape is None:
                raw = b""
            elif item.dtype == h5py.ref_dtype:
                raw = b""
                memory = np.zeros(item.shape, "u8")
                for at, reference in enumerate(item[()]):
                    memory[at] = h5py.h5o.get_info(f[reference].id).addr
                raw = memory.tobytes()
            else:
                raw = np.ascontiguousarray(item[()]).tobytes()
            datasets[name] = {
                "shape": None if item.shape is None else list(item.shape),
                "size": len(raw),
                "sha256": hashlib.sha256(raw).hexdigest(),
                "offset": offset_of(f, item),
            }

        f.visititems(visit)
    with open(path + ".json", "w") as out:
        json.dump(datasets, out, indent=1)


def make(path, **options):
    with h5py.File(path, "w", **options) as f:
        variable = fill(f)
    describe(path, variable)


folder = sys.argv[1]
make(folder + "/earliest.h5", libver="earliest")
make(folder + "/latest.h5", libver="latest")
make(folder + "/user-block.h5", libver="earliest", userblock_size=1024)
