// Reading HDF5 files that h5py wrote: values, places, structure and attributes, against what h5py says of them.

import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { HexzError } from "../src/core/errors.ts";
import { type FileSource, openFileSource } from "../src/node/file-source.ts";
import { placeOfValues, readAddressing } from "../src/node/hdf5/layout.ts";
import { Hdf5Reader } from "../src/node/hdf5/reader.ts";
import { dtypeOf, isVariable } from "../src/node/hdf5/types.ts";
import { boxesOf, type Dataset } from "../src/node/hdf5/values.ts";
import { hdf5Files } from "./support/hdf5.ts";

const FILES = ["earliest", "latest", "user-block"] as const;

interface Expected {
  readonly shape: number[] | null;
  readonly size: number;
  readonly sha256: string;
  readonly offset: number | null;
}

function openMade(name: string): { reader: Hdf5Reader; source: FileSource; expected: Map<string, Expected> } {
  const path = join(hdf5Files(), `${name}.h5`);
  const source = openFileSource(path);
  onTestFinished(() => source.close());
  const reader = new Hdf5Reader(source);
  onTestFinished(() => reader.close());
  const json = JSON.parse(readFileSync(`${path}.json`, "utf8"));
  return { reader, source, expected: new Map(Object.entries(json)) };
}

function datasetsOf(reader: Hdf5Reader): Map<string, Dataset> {
  const datasets = new Map<string, Dataset>();
  for (const object of reader.objects()) {
    if (object.kind === "dataset") datasets.set(object.path, object.dataset);
    if (object.kind === "hard-link") datasets.set(object.path, datasets.get(object.first)!);
  }
  return datasets;
}

const sha256 = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest("hex");

test.each(FILES)("values() gives the bytes that h5py gives, of every dataset of %s.h5", (name) => {
  const { reader, expected } = openMade(name);
  const datasets = datasetsOf(reader);
  expect(expected.size).toBeGreaterThan(25);
  for (const [path, { size, sha256: digest, shape }] of expected) {
    const dataset = datasets.get(path)!;
    expect(dataset.shape ?? null, path).toEqual(shape);
    expect(reader.sizeOfValues(path), path).toBe(size);
    expect(sha256(reader.values(path, 0, size)), path).toBe(digest);
  }
});

test.each(FILES)("placeOfValues finds contiguous and compact values where they are, in %s.h5", (name) => {
  const { reader, source, expected } = openMade(name);
  const read = (start: number, end: number) => source.readSync(start, end);
  const addressing = readAddressing(read, source.size, name);
  let found = 0;
  for (const object of reader.objects()) {
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

test("values() reads any range of chunked values, of a cube and of variable lengths", () => {
  const { reader } = openMade("latest");
  for (const path of ["/group/chunked", "/group/cube", "/lists", "/group/big-endian", "/scalar"]) {
    const size = reader.sizeOfValues(path);
    const whole = reader.values(path, 0, size);
    for (let number = 0; number < 40; number++) {
      const start = Math.floor((size * number) / 41);
      const end = Math.min(size, start + 1 + number * 97);
      const range = reader.values(path, start, end);
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

test("objects() names links of all kinds and follows none", () => {
  const { reader } = openMade("earliest");
  const objects = new Map(reader.objects().map((object) => [object.path, object]));
  expect(objects.get("/link")).toEqual({ path: "/link", kind: "symlink", target: "/contiguous" });
  expect(objects.get("/group/relative")).toEqual({ path: "/group/relative", kind: "symlink", target: "chunked" });
  expect(objects.get("/dangling")).toEqual({ path: "/dangling", kind: "symlink", target: "/nothing" });
  expect(objects.get("/group/loop")).toEqual({ path: "/group/loop", kind: "symlink", target: "/group" });
  const external = { path: "/external", kind: "external-link", file: "other.h5", target: "/x" };
  expect(objects.get("/external")).toEqual(external);
  expect(objects.get("/group/chunked")).toEqual({ path: "/group/chunked", kind: "hard-link", first: "/again" });
  expect(objects.get("/datatype")).toEqual({ path: "/datatype", kind: "datatype" });
});

test("objects() gives attributes as JSON, nested by shape", () => {
  const { reader } = openMade("latest");
  const [root] = reader.objects();
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

test("dtypeOf names types as NumPy does", () => {
  const { reader } = openMade("latest");
  const named = new Map([...datasetsOf(reader)].map(([path, { type }]) => [path, dtypeOf(type)]));
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

test("Hdf5Reader refuses what is no HDF5 file, and a file that was cut", () => {
  const { source } = openMade("latest");
  const bytes = source.readSync(0, source.size);
  const open = (size: number, from = 0) =>
    new Hdf5Reader({ name: "bad.h5", size, readSync: (start, end) => bytes.subarray(from + start, from + end) });
  const refusalOf = (attempt: () => unknown) => {
    try {
      attempt();
    } catch (error) {
      if (error instanceof HexzError) return `${error.code}: ${error.message}`;
    }
    return undefined;
  };
  expect(refusalOf(() => open(1000, 100))).toMatch(/^invalid: bad\.h5 is not an HDF5 file/);
  expect(refusalOf(() => open(source.size - 1))).toMatch(/^invalid: .*truncated/);
});

test("Hdf5Reader passes on what the source throws, and libhdf5's complaints", () => {
  const { source } = openMade("latest");
  let broken = false;
  const reader = new Hdf5Reader({
    name: "broken.h5",
    size: source.size,
    readSync(start, end) {
      if (broken) throw new Error("no more");
      return source.readSync(start, end);
    },
  });
  onTestFinished(() => reader.close());
  expect(() => reader.values("/nothing", 0, 1)).toThrow(/broken\.h5/);
  broken = true;
  expect(() => reader.values("/contiguous", 0, 800_000)).toThrow("no more");
  reader.close();
  expect(() => reader.objects()).toThrow("it is closed");
});

test("Hdf5Reader gives up a file on which libhdf5 is silent", () => {
  const silent = { name: "silent.h5", size: 4096, readSync: () => new Uint8Array(4096) };
  expect(() => new Hdf5Reader(silent, 1)).toThrow(/silent\.h5: libhdf5 was silent for 0\.001 s/);
});
