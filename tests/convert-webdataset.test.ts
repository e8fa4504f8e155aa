// `convert webdataset`: samples are grouped as the package groups them; one sample, one field and the shards can be had
// back. The package comes from PyPI where that can be reached.

import { execFileSync, spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { openArchiveFile } from "../src/node/archive.ts";
import { entriesOf } from "./support/archives.ts";
import { hexz, hexzJson, shell } from "./support/cli.ts";
import { temporaryDirectory } from "./support/trees.ts";

const CACHE = fileURLToPath(new URL("../.cache/webdataset/", import.meta.url));
const SCRIPT = fileURLToPath(new URL("support/group-samples.py", import.meta.url));

/** The Python that has the package. */
function findPackage(): string | undefined {
  const python = join(CACHE, "bin/python");
  const works = () => existsSync(python) && spawnSync(python, ["-c", "import webdataset"]).status === 0;
  if (works()) return python;
  const install = spawnSync("sh", ["-c", `python3 -m venv "$0" && "$0/bin/pip" install -q webdataset==1.0.2`, CACHE], {
    timeout: 120_000,
  });
  if (install.status === 0 && works()) return python;
  process.stderr.write("skipped: the package webdataset is not here, and PyPI does not give it\n");
  return undefined;
}

/** Names that are easy to get wrong, in an order in which samples are not together. */
const NAMES = [
  "a/0001.jpg",
  "a/0001.Seg.PNG",
  "a/0001.json",
  "a/0002.jpg",
  "./a/0003.cls",
  "dir.with.dots/plain",
  "dir.with.dots/x.y.z",
  "a/.hidden",
  "__meta__/info.json",
  "a/0001.later",
  "noextension",
  "a/0004.",
];

function placeByHand(): string {
  const cwd = temporaryDirectory();
  const script = `
import tarfile, io, sys, json
for shard in ("s-0.tar", "s-1.tar"):
    t = tarfile.open(shard, "w")
    d = tarfile.TarInfo("a"); d.type = tarfile.DIRTYPE; d.mode = 0o755; t.addfile(d)
    for n in json.loads(sys.argv[1]):
        i = tarfile.TarInfo(n); c = (shard + n).encode(); i.size = len(c); t.addfile(i, io.BytesIO(c))
    t.close()`;
  execFileSync("python3", ["-c", script, JSON.stringify(NAMES)], { cwd });
  return cwd;
}

/** Samples as the archive records them: by shard directory, in their order. */
async function samplesOf(archivePath: string, directory = ""): Promise<[string, Record<string, number>][]> {
  const archive = await openArchiveFile(archivePath);
  const samples: [string, Record<string, number>][] = [];
  for (const entry of await entriesOf(archive)) {
    const { webdataset } = (entry.metadata ?? {}) as { webdataset?: { sample: string; field: string; number: number } };
    if (webdataset === undefined || !entry.path.startsWith(directory)) continue;
    samples[webdataset.number] ??= [webdataset.sample, {}];
    samples[webdataset.number]![1][webdataset.field] = entry.size!;
  }
  await archive.close();
  return samples;
}

describe("convert webdataset", () => {
  test("members are grouped by the path up to the first dot of the base name, neighbours only", async () => {
    const cwd = placeByHand();
    const { code, document } = hexzJson(["convert", "webdataset", "s-0.tar", "s.hxz"], { cwd });
    expect([code, document.warnings]).toEqual([0, []]);
    const samples = await samplesOf(join(cwd, "s.hxz"));
    expect(samples.map(([key, fields]) => [key, ...Object.keys(fields).sort()])).toEqual([
      ["a/0001", "jpg", "json", "seg.png"],
      ["a/0002", "jpg"],
      ["./a/0003", "cls"],
      ["dir.with.dots/x", "y.z"],
      ["a/", "hidden"],
      ["a/0001", "later"],
      ["a/0004", ""],
    ]);
    const archive = await openArchiveFile(join(cwd, "s.hxz"));
    const fields = { "": 1, cls: 1, hidden: 1, jpg: 2, json: 1, later: 1, "seg.png": 1, "y.z": 1 };
    expect((await archive.metadata()).containers).toMatchObject([
      { format: "webdataset", name: "s-0.tar", metadata: { samples: 7, fields } },
    ]);
    await archive.close();
    // One field alone, and a tar that is the shard.
    expect(hexz(["cat", "s.hxz", "a/0001.Seg.PNG"], { cwd }).stdout).toBe("s-0.tara/0001.Seg.PNG");
    expect(shell("hexz convert --to original s.hxz - | cmp - s-0.tar", cwd).code).toBe(0);
    const listed = hexzJson(["inspect", "s.hxz", "--entries"], { cwd }).document.entry_list;
    expect(listed.find(({ path }: { path: string }) => path === "a/0002.jpg").metadata).toEqual({
      webdataset: { sample: "a/0002", field: "jpg", number: 1 },
    });
  });

  test("of several shards each has a directory; the originals come back together or by name", async () => {
    const cwd = placeByHand();
    expect(hexz(["convert", "webdataset", "s-0.tar", "s-1.tar", "s.hxz"], { cwd }).code).toBe(0);
    expect(hexz(["cat", "s.hxz", "s-1/a/0001.jpg"], { cwd }).stdout).toBe("s-1.tara/0001.jpg");
    expect(await samplesOf(join(cwd, "s.hxz"), "s-1/")).toEqual(await samplesOf(join(cwd, "s.hxz"), "s-0/"));
    expect(hexz(["convert", "--to", "original", "s.hxz", "shards"], { cwd }).code).toBe(0);
    expect(shell("cmp s-0.tar shards/s-0.tar && cmp s-1.tar shards/s-1.tar && ls shards", cwd).stdout).toBe(
      "s-0.tar\ns-1.tar\n",
    );
    expect(hexz(["convert", "--to", "original", "s.hxz", "one", "--path", "s-1.tar"], { cwd }).code).toBe(0);
    expect(shell("cmp s-1.tar one", cwd).code).toBe(0);
    expect(hexz(["convert", "--to", "original", "s.hxz", "-"], { cwd }).code).toBe(2);
    expect(hexz(["convert", "--to", "original", "s.hxz", "shards"], { cwd }).code).toBe(2);
    expect(hexz(["check", "s.hxz"], { cwd }).code).toBe(0);
  });

  test("two shards of one name, and a field that comes again, are told of", () => {
    const cwd = placeByHand();
    expect(shell("mkdir d && cp s-0.tar d && gzip -k s-0.tar", cwd).code).toBe(0);
    for (const other of ["d/s-0.tar", "s-0.tar.gz"]) {
      expect(hexzJson(["convert", "webdataset", "s-0.tar", other, "s.hxz"], { cwd })).toMatchObject({
        code: 2,
        document: { error: { code: "usage" } },
      });
    }
    const script = `import tarfile; t = tarfile.open("x.tar", "w"); [t.addfile(tarfile.TarInfo(n)) for n in ("k.a", "k.A")]; t.close()`;
    execFileSync("python3", ["-c", script], { cwd });
    const { code, document } = hexzJson(["convert", "webdataset", "x.tar", "x.hxz"], { cwd });
    expect([code, document.warnings]).toMatchObject([0, [{ path: "k.A", code: "collision" }]]);
  });

  const python = findPackage();
  test.skipIf(python === undefined)("samples are those of the package", async () => {
    const cwd = placeByHand();
    execFileSync(python!, [SCRIPT, "write", "w.tar"], { cwd });
    const shards = ["s-0.tar", "s-1.tar", "w.tar"];
    const expected = JSON.parse(String(execFileSync(python!, [SCRIPT, "samples", ...shards], { cwd })));
    expect(hexz(["convert", "webdataset", ...shards, "all.hxz"], { cwd }).code).toBe(0);
    for (const [number, shard] of shards.entries()) {
      expect([shard, await samplesOf(join(cwd, "all.hxz"), shard.replace(".tar", "/"))]).toEqual([
        shard,
        expected[number],
      ]);
    }
    expect(readFileSync(join(cwd, "w.tar")).length).toBeGreaterThan(5 * 3 * 1024);
  });
});
