"""Does jobs with the original hexz's Python packages: original.py PACKAGE, a JSON list of jobs on standard input, their
results as a JSON list on standard output. A job that fails gives {"error": text}."""

import hashlib
import json
import sys

sys.path.insert(0, sys.argv[1])
import hexz


def sha256(data):
    return hashlib.sha256(data).hexdigest()


def pack_055(job):
    from hexz import hexz_loader

    hexz_loader.pack(job["output"], show_progress=False, **job["options"])


def write_055(job):
    """The serial writer: zeros become sparse blocks, and content is added piece by piece."""
    writer = hexz.Writer(job["output"], **job["options"])
    for path in job["inputs"]:
        writer.add(path)
    if "metadata" in job:
        writer.add_metadata(job["metadata"])
    writer.finalize()


def read_055(job):
    with hexz.open(job["archive"]) as reader:
        data = reader.read()
        ranges = [sha256(reader.read(end - start, offset=start)) for start, end in job["ranges"]]
    return {"size": len(data), "sha256": sha256(data), "ranges": ranges}


def inspect_055(job):
    from hexz import hexz_loader

    return {"facts": hexz_loader.inspect(job["archive"])}


def sign_055(job):
    from hexz import hexz_loader

    hexz_loader.sign_image(job["archive"], job["key"])


def verify_055(job):
    from hexz import hexz_loader

    hexz_loader.verify_image(job["archive"], job["key"])


def pack_082(job):
    hexz.pack(job["input"], job["output"], **job["options"])


def read_082(job):
    archive = hexz.Archive(job["archive"])
    return {"files": {name: sha256(archive.read(name)) for name in archive.namelist()}}


results = []
for job in json.load(sys.stdin):
    try:
        results.append(globals()[job["do"]](job) or {})
    # A panic of the original is no Exception.
    except BaseException as error:
        results.append({"error": f"{type(error).__name__}: {error}"})
print(json.dumps(results))
