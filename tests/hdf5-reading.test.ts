// Reading HDF5 files that h5py wrote: values, places, structure and attributes, against what h5py says of them.

import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { openFileSource } from "../src/node/file-source.ts";
import { placeOfValues, readAddressing } from "../src/node/hdf5/layout.ts";
import { type Hdf5File, type Hdf5Source, openHdf5 } from "../src/node/hdf5/library.ts";
import { type Hdf5Object, objectsOf } from "../src/node/hdf5/structure.ts";
import { dtypeOf, isVariable } from "../src/node/hdf5/types.ts";
import { boxesOf, type Dataset, readElements, sizeOfValues, ValueReader } from "../src/node/hdf5/values.ts";
import { hdf5Files } from "./support/hdf5.ts";

const FILES = ["earliest", "latest", "user-block"] as const;

interface Expected {
  readonly shape: number[] | null;
  readonly size: number;
  readonly sha256: string;
  readonly offset: number | null;
}

async function openMade(
  name: string,
): Promise<{ file: Hdf5File; source: Hdf5Source; expected: Map<string, Expected> }> {
  const path = join(hdf5Files(), `${name}.h5`);
  const source = openFileSource(path) as unknown as Hdf5Source;
  const file = await openHdf5(source);
  onTestFinished(() => file.close());
  const json = JSON.parse(readFileSync(`${path}.json`, "utf8"));
  return { file, source, expected: new Map(Object.entries(json)) };
}

function datasetsOf(file: Hdf5File): Map<string, Dataset> {
  const datasets = new Map<string, Dataset>();
  for (const object of objectsOf(file)) {
    if (object.kind === "dataset") datasets.set(object.path, object.dataset);
    if (object.kind === "hard-link") datasets.set(object.path, datasets.get(object.first)!);
  }
  return datasets;
}

const sha256 = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest("hex");

test.each(FILES)("ValueReader gives the bytes that h5py gives, of every dataset of %s.h5", async (name) => {
  const { file, expected } = await openMade(name);
  const datasets = datasetsOf(file);
  expect(expected.size).toBeGreaterThan(25);
  for (const [path, { size, sha256: digest, shape }] of expected) {
    const dataset = datasets.get(path)!;
    expect(dataset.shape ?? null, path).toEqual(shape);
    expect(sizeOfValues(file, dataset), path).toBe(size);
    expect(sha256(new ValueReader(file, dataset).read(0, size)), path).toBe(digest);
  }
});

test.each(FILES)("placeOfValues finds contiguous and compact values where they are, in %s.h5", async (name) => {
  const { file, source, expected } = await openMade(name);
  const read = (start: number, end: number) => {
    const bytes = new Uint8Array(end - start);
    source.readIntoSync(start, bytes);
    return bytes;
  };
  const addressing = readAddressing(read, source.size, name);
  let found = 0;
  for (const object of objectsOf(file)) {
    if (object.kind !== "dataset") continue;
    const place = placeOfValues(read, addressing, object.address, name);
    const { offset, sha256: digest, size } = expected.get(object.path) ?? { offset: undefined, sha256: "", size: 0 };
    if (typeof offset === "number" && size > 0) expect(place?.start, object.path).toBe(offset);
    if (place === undefined || size === 0 || isVariable(object.dataset.type)) continue;
    expect(sha256(read(place.start, place.start + place.size)), object.path).toBe(digest);
    found++;
  }
  expect(found).toBeGreaterThan(10);
});

test("ValueReader reads any range of chunked values, of a cube and of variable lengths", async () => {
  const { file } = await openMade("latest");
  const datasets = datasetsOf(file);
  for (const path of ["/group/chunked", "/group/cube", "/lists", "/group/big-endian", "/scalar"]) {
    const dataset = datasets.get(path)!;
    const size = sizeOfValues(file, dataset);
    const whole = new ValueReader(file, dataset).read(0, size);
    for (let number = 0; number < 40; number++) {
      const start = Math.floor((size * number) / 41);
      const end = Math.min(size, start + 1 + number * 97);
      const range = new ValueReader(file, dataset).read(start, end);
      expect(Buffer.compare(range, whole.subarray(start, end)), `${path} ${start}-${end}`).toBe(0);
    }
  }
});

test("boxesOf covers a range of elements once, in order, within the limit", () => {
  const shape = [3, 4, 5];
  for (let start = 0; start <= 60; start += 7) {
    for (let end = start; end <= 60; end++) {
      const elements: number[] = [];
      for (const { offset, count } of boxesOf(shape, start, end, 12)) {
        expect(count.reduce((a, b) => a * b, 1)).toBeLessThanOrEqual(12);
        for (let i = 0; i < count[0]!; i++)
          for (let j = 0; j < count[1]!; j++)
            for (let k = 0; k < count[2]!; k++)
              elements.push((offset[0]! + i) * 20 + (offset[1]! + j) * 5 + offset[2]! + k);
      }
      expect(elements).toEqual(Array.from({ length: end - start }, (_, number) => start + number));
    }
  }
});

test("objectsOf names links of all kinds and follows none", async () => {
  const { file } = await openMade("earliest");
  const objects = new Map<string, Hdf5Object>([...objectsOf(file)].map((object) => [object.path, object]));
  expect(objects.get("/link")).toEqual({ path: "/link", kind: "symlink", target: "/contiguous" });
  expect(objects.get("/group/relative")).toEqual({ path: "/group/relative", kind: "symlink", target: "chunked" });
  expect(objects.get("/dangling")).toEqual({ path: "/dangling", kind: "symlink", target: "/nothing" });
  expect(objects.get("/group/loop")).toEqual({ path: "/group/loop", kind: "symlink", target: "/group" });
  const external = { path: "/external", kind: "external-link", file: "other.h5", target: "/x" };
  expect(objects.get("/external")).toEqual(external);
  expect(objects.get("/group/chunked")).toEqual({ path: "/group/chunked", kind: "hard-link", first: "/again" });
  expect(objects.get("/datatype")).toEqual({ path: "/datatype", kind: "datatype" });
});

test("objectsOf gives attributes as JSON, nested by shape", async () => {
  const { file } = await openMade("latest");
  const [root] = objectsOf(file);
  expect(root).toMatchObject({
    kind: "group",
    attributes: {
      title: "a title",
      numbers: [
        [0, 1, 2],
        [3, 4, 5],
      ],
      empty: null,
      texts: ["a", "é"],
      "not a number": "NaN",
      half: 1.5,
      large: "18446744073709551615",
      pair: { x: 1, y: 2.5 },
    },
  });
});

test("dtypeOf names types as NumPy does", async () => {
  const { file } = await openMade("latest");
  const named = new Map([...datasetsOf(file)].map(([path, { type }]) => [path, dtypeOf(type)]));
  expect(named.get("/contiguous")).toBe("<f8");
  expect(named.get("/big-endian")).toBe(">f4");
  expect(named.get("/halves")).toBe("<f2");
  expect(named.get("/booleans")).toBe("|b1");
  expect(named.get("/strings")).toBe("|S5");
  expect(named.get("/texts")).toBe("str");
  expect(named.get("/complex")).toBe("<c16");
  expect(named.get("/group/cube")).toBe("|u1");
  expect(named.get("/enum")).toEqual({ enum: { A: 1, B: 2 }, base: "|i1" });
  expect(named.get("/lists")).toEqual({ vlen: "<i4" });
  expect(named.get("/compound")).toEqual([
    ["x", "<i4"],
    ["y", ["<f8", [2]]],
    ["s", "|S3"],
  ]);
});

test("a failed read of the source is the error of the call", async () => {
  const { source } = await openMade("latest");
  let broken = false;
  const file = await openHdf5({
    name: "broken.h5",
    size: source.size,
    readIntoSync(start, into) {
      if (broken) throw new Error("no more");
      source.readIntoSync(start, into);
    },
  });
  const dataset = datasetsOf(file).get("/contiguous")!;
  broken = true;
  expect(() => [...readElements(file, dataset, 0, dataset.count)]).toThrow("no more");
  file.close();
});

test("openHdf5 refuses what is no HDF5 file, and a file that was cut", async () => {
  const { source } = await openMade("latest");
  const bytes = new Uint8Array(source.size);
  source.readIntoSync(0, bytes);
  const open = (size: number, start = 0) =>
    openHdf5({
      name: "bad.h5",
      size,
      readIntoSync: (at, into) => into.set(bytes.subarray(start + at, start + at + into.length)),
    });
  await expect(open(1000, 100)).rejects.toMatchObject({ code: "invalid", message: /bad\.h5 is not an HDF5 file/ });
  await expect(open(source.size - 1)).rejects.toMatchObject({ code: "invalid", message: /truncated/ });
});
