"""Drives the real hexz through its Python packages, because PyPI has those and not its command.

hexz.py PACKAGE start                          imports the package and ends: what the others pay before they begin
hexz.py PACKAGE pack INPUT OUTPUT SETTINGS     SETTINGS is JSON: the keyword arguments of the version's pack()
hexz.py PACKAGE extract ARCHIVE OUTPUT         0.5.5: the one stream into a file; 0.8.2: the tree into a directory
"""

import sys

package, task, *arguments = sys.argv[1:]
sys.path.insert(0, package)
import hexz

# The original's own extract command moves a stream in steps of this size.
STEP = 1 << 20


def pack(source, output, settings):
    import json

    options = json.loads(settings)
    if hexz.version() == "0.5.5":
        from hexz import hexz_loader

        hexz_loader.pack(output, disk=source, show_progress=False, **options)
    else:
        hexz.pack(source, output, **options)


def extract(archive, output):
    if hexz.version() == "0.5.5":
        extract_stream(archive, output)
    else:
        extract_tree(archive, output)


def extract_stream(archive, output):
    buffer = bytearray(STEP)
    view = memoryview(buffer)
    with hexz.open(archive) as reader, open(output, "wb", buffering=0) as file:
        while True:
            count = reader.read(buffer=buffer)
            if not count:
                break
            file.write(view[:count])


def extract_tree(archive, output):
    import os

    reader = hexz.Archive(archive)
    made = set()
    for name in reader.namelist():
        path = os.path.join(output, name)
        parent = os.path.dirname(path)
        if parent not in made:
            os.makedirs(parent, exist_ok=True)
            made.add(parent)
        with open(path, "wb", buffering=0) as file:
            file.write(reader.read(name))


if task == "pack":
    pack(*arguments)
elif task == "extract":
    extract(*arguments)
elif task != "start":
    sys.exit(f"unknown task {task}")
