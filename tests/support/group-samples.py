"""Groups the samples of shards with the package webdataset, or writes a shard with it.

samples SHARD...   prints, as JSON, the samples of each shard: key, and the size of each field
write SHARD        writes a shard of a few samples
"""

import json
import sys

import webdataset

command, *shards = sys.argv[1:]
if command == "write":
    with webdataset.TarWriter(shards[0]) as sink:
        for number in range(5):
            key = f"part.d/sample{number:03d}"
            sink.write({"__key__": key, "txt": "text " * number, "cls": number, "json": {"n": [number]}})
else:
    found = []
    for shard in shards:
        stream = [{"url": shard, "stream": open(shard, "rb")}]
        samples = webdataset.tariterators.group_by_keys(webdataset.tariterators.tar_file_expander(stream))
        found.append(
            [[s["__key__"], {k: len(v) for k, v in s.items() if not k.startswith("__")}] for s in samples]
        )
    print(json.dumps(found))
