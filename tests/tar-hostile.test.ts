// Tars as they should not be: each is read for what it is worth, with a warning, or refused with a code and the place.

import { describe, expect, test } from "vitest";
import { checkArchive, contentOf, createArchive, createMemorySink, openArchive } from "../src/core/index.ts";
import { convertBytes, END, entriesOfTar, headerOf, type Member, memberOf, paxOf, tarOf } from "./support/tars.ts";

const base256 = (value: number, length: number): string => {
  const bytes = Array.from({ length }, (_, at) => Math.floor(value / 256 ** (length - 1 - at)) % 256);
  return String.fromCharCode(bytes[0]! | 0x80, ...bytes.slice(1));
};
const oldSparse = (runs: [number, number][], size: number, more = false): Record<number, string> => ({
  ...Object.fromEntries(
    runs.map(([offset, length], at) => [
      386 + 24 * at,
      `${offset.toString(8).padStart(11, "0")}\0${length.toString(8).padStart(11, "0")}\0`,
    ]),
  ),
  482: more ? "\x01" : "\0",
  483: `${size.toString(8).padStart(11, "0")}\0`,
});
const GNU = "ustar  \0";
const ok: Member = { name: "ok", content: "fine" };

describe("names", () => {
  const cases: [string, Member[], string[], string[]][] = [
    ["./ and doubled slashes mean nothing", [{ name: "./a//b/./c" }], ["a/b/c"], []],
    [
      "an absolute name loses its slash, told of once",
      [{ name: "/etc/x" }, { name: "/y" }],
      ["y", "etc/x"],
      ["collision: /etc/x"],
    ],
    [
      '".." is left out',
      [{ name: "../x" }, { name: "a/../../x" }, ok],
      ["ok"],
      ["unsafe_path: ../x", "unsafe_path: a/../../x"],
    ],
    ["a NUL in a pax path is left out", [paxOf({ path: "a\0b" }), {}, ok], ["ok"], ["unsafe_path: a\0b"]],
    ["a link out is left out", [ok, { name: "l", type: "1", fields: { 157: "../ok" } }], ["ok"], ["unsafe_path: l"]],
    [
      "a link to nothing is left out",
      [ok, { name: "l", type: "1", fields: { 157: "gone" } }],
      ["ok"],
      ["no_such_path: l"],
    ],
    ["a file without a name is left out", [{ name: "./" }, ok], ["ok"], ["invalid: ./"]],
    ["of one name the last counts", [{ name: "ok", content: "old" }, ok], ["ok"], ["collision: ok"]],
    [
      "a name of too many components",
      [paxOf({ path: "a/".repeat(300) }), {}, ok],
      ["ok"],
      [`limit_exceeded: ${"a/".repeat(300)}`],
    ],
  ];
  test.each(cases)("%s", async (_, members, paths, warnings) => {
    const found = await entriesOfTar(tarOf(...members));
    expect([[...found.entries.keys()], found.warnings]).toEqual([paths, warnings]);
    if (paths.includes("ok")) expect(found.entries.get("ok")!.content).toBe("fine");
  });
});

describe("headers", () => {
  test("numbers in base 256, padded with spaces, and empty ones are read", async () => {
    const fields = { 108: base256(5_000_000_000, 8), 116: "   1750 ", 136: base256(8 ** 12, 12), 100: "\0".repeat(8) };
    const { entries } = await entriesOfTar(tarOf({ fields }));
    const mtime = { seconds: 8 ** 12, nanoseconds: 0 };
    expect(entries.get("file")).toMatchObject({ uid: 5_000_000_000, gid: 0o1750, mode: 0, mtime });
  });

  test("times before 1970 are read, owners that are none are left open", async () => {
    const minus = (length: number, last: number) => "\xff".repeat(length - 1) + String.fromCharCode(last);
    const { entries } = await entriesOfTar(tarOf({ fields: { 108: minus(8, 0xff), 136: minus(12, 0xfb) } }));
    expect(entries.get("file")).toMatchObject({ mtime: { seconds: -5, nanoseconds: 0 } });
    expect(entries.get("file")!.uid).toBeUndefined();
  });

  test("a checksum of signed bytes is right, too", async () => {
    const block = headerOf({ name: "\xff\xfe" });
    const sum = block.reduce(
      (total, byte, at) => total + (at >= 148 && at < 156 ? 32 : byte > 127 ? byte - 256 : byte),
      0,
    );
    const fields = { 148: `${sum.toString(8).padStart(6, "0")}\0 ` };
    expect([...(await entriesOfTar(tarOf({ name: "\xff\xfe", fields }))).entries.keys()]).toEqual(["\xff\xfe"]);
  });

  test("v7: no magic, directories by their slash; long names of two parts; long GNU names", async () => {
    const long = "n".repeat(150);
    const { entries } = await entriesOfTar(
      tarOf(
        { name: "d/", magic: "" },
        { name: "n".repeat(100), fields: { 345: "p".repeat(155) } },
        { name: "././@LongLink", type: "L", content: `${long}\0`, magic: GNU },
        { name: "././@LongLink", type: "K", content: `${long}/t\0`, magic: GNU },
        { name: long.slice(0, 100), type: "2", magic: GNU },
      ),
    );
    expect([...entries].map(([path, { type }]) => `${type} ${path}`)).toEqual([
      "directory d",
      `symlink ${long}`,
      `file ${"p".repeat(155)}/${"n".repeat(100)}`,
    ]);
    expect(entries.get(long)!.target).toBe(`${long}/t`);
  });

  test("types that are none of ours: labels are left out, unknown ones are files, dumped directories keep nothing", async () => {
    const { entries, warnings } = await entriesOfTar(
      tarOf(
        { name: "label", type: "V" },
        { name: "odd", type: "Z", content: "data" },
        { name: "dump", type: "D", content: "Yx\0" },
      ),
    );
    expect([...entries].map(([path, { type }]) => `${type} ${path}`)).toEqual(["directory dump", "file odd"]);
    expect([entries.get("odd")!.content, warnings]).toEqual(["data", ["unsupported: label", "unsupported: odd"]]);
  });

  test("a directory that is sparse is a directory, a target that is too long is left out", async () => {
    const sparse = paxOf({ "GNU.sparse.map": "0,4", "GNU.sparse.size": "9", "GNU.sparse.name": "dump" });
    const { entries, warnings } = await entriesOfTar(
      tarOf(
        sparse,
        { type: "D", content: "Yx\0\0" },
        paxOf({ linkpath: "t".repeat(65_536) }),
        { name: "s", type: "2" },
        ok,
      ),
    );
    expect([[...entries.keys()], entries.get("dump")!.type, warnings]).toEqual([
      ["dump", "ok"],
      "directory",
      ["limit_exceeded: s"],
    ]);
  });

  test("directories and links have no content whatever they say", async () => {
    const size = { 124: "00000001000\0" };
    const { entries } = await entriesOfTar(
      tarOf({ name: "d", type: "5", fields: size }, { name: "l", type: "2", fields: { ...size, 157: "d" } }, ok),
    );
    expect([...entries.keys()]).toEqual(["d", "l", "ok"]);
  });
});

describe("sparse files", () => {
  test("old GNU maps, with and without blocks behind the header", async () => {
    const runs = Array.from({ length: 6 }, (_, at): [number, number] => [at * 100, 10]);
    const block = new Uint8Array(512);
    for (const [at, [offset, length]] of runs.slice(4).entries()) {
      block.set(
        Buffer.from(`${offset.toString(8).padStart(11, "0")}\0${length.toString(8).padStart(11, "0")}\0`),
        at * 24,
      );
    }
    const content = "0123456789".repeat(6);
    const header = headerOf({
      name: "s",
      type: "S",
      magic: GNU,
      content,
      fields: oldSparse(runs.slice(0, 4), 700, true),
    });
    const short = { name: "t", type: "S", magic: GNU, content: "abc", fields: oldSparse([[5, 3]], 10) };
    const data = new Uint8Array(Buffer.concat([Buffer.from(content), new Uint8Array(512 - 60)]));
    const { entries } = await entriesOfTar(tarOf(header, block, data, short, ok));
    const expected = runs.map(() => `0123456789${"\0".repeat(90)}`).join("");
    expect([entries.get("s")!.content, entries.get("t")!.content]).toEqual([
      `${expected}${"\0".repeat(100)}`,
      "\0\0\0\0\0abc\0\0",
    ]);
    expect(entries.get("s")!.sparse).toBe(true);
  });

  test.each([
    [
      "overlap",
      [
        [0, 5],
        [3, 5],
      ],
      10,
      10,
    ],
    [
      "end behind the file",
      [
        [0, 5],
        [8, 5],
      ],
      10,
      10,
    ],
    ["are not what is stored", [[0, 5]], 10, 10],
  ] as [string, [number, number][], number, number][])("runs that %s are refused", async (_, runs, size, stored) => {
    const tar = tarOf({ name: "s", type: "S", magic: GNU, content: "x".repeat(stored), fields: oldSparse(runs, size) });
    await expect(entriesOfTar(tar)).rejects.toMatchObject({ code: "invalid" });
  });

  test("a hole of many TiB costs nothing", async () => {
    const records = { "GNU.sparse.map": "0,3", "GNU.sparse.size": String(2 ** 45), "GNU.sparse.name": "s" };
    const { archive, warnings } = await convertBytes(tarOf(paxOf(records), { content: "abc" }));
    expect([warnings, archive.length < 5000]).toEqual([[], true]);
  });
});

describe("what cannot be read is refused with its place", () => {
  const pax = (content: string): Member => ({ type: "x", content });
  const damaged = memberOf(ok);
  damaged[5] = 1;
  const map = (text: string): Member[] => [
    paxOf({ "GNU.sparse.major": "1", "GNU.sparse.minor": "0", "GNU.sparse.realsize": "9" }),
    { content: text },
  ];
  const cases: [string, Uint8Array, string, string][] = [
    ["nothing", new Uint8Array(0), "invalid", "empty"],
    ["less than a header", new Uint8Array(100).fill(1), "invalid", "shorter than a header"],
    ["something else", new Uint8Array(2048).fill(0x41), "invalid", "is no tar"],
    ["a damaged header", tarOf(ok, damaged), "damaged", "at 1024"],
    ["a header cut off", tarOf(ok, ok).subarray(0, 1300), "truncated", "at 1024"],
    ["a content cut off", tarOf(ok, { content: "x".repeat(5000) }).subarray(0, 3000), "truncated", "ends at 3000"],
    ["a size that is no number", tarOf({ fields: { 124: "0000000zzzz\0" } }), "invalid", "size"],
    ["a size beyond 2^52", tarOf({ fields: { 124: base256(2 ** 60, 12) } }), "limit_exceeded", "size"],
    ["a negative size", tarOf({ fields: { 124: "\xff".repeat(12) } }), "invalid", "-1 bytes"],
    [
      "an extended header of 1 GiB",
      tarOf({ type: "x", fields: { 124: "10000000000\0" } }),
      "limit_exceeded",
      "extended header at 0",
    ],
    [
      "many extended headers",
      tarOf(...Array(5).fill(pax(`250000 a=${"v".repeat(249_990)}\n`))),
      "limit_exceeded",
      "extended header",
    ],
    ["the end behind an extended header", tarOf(paxOf({ path: "x" })), "invalid", "behind an extended header"],
    ["no end behind an extended header", memberOf(paxOf({ path: "x" })), "truncated", "at 1024"],
    ["a record without a length", tarOf(pax("path=x\n"), ok), "invalid", "no length"],
    ["a record that is too long", tarOf(pax("99 path=x\n"), ok), "invalid", "99 bytes"],
    ["a record without a key", tarOf(pax("5 =x\n"), ok), "invalid", "no key"],
    ["a time that is none", tarOf(paxOf({ mtime: "yesterday" }), ok), "invalid", "no time"],
    ["an owner that is none", tarOf(paxOf({ uid: "1e3" }), ok), "invalid", "uid"],
    ["a pax size that is none", tarOf(paxOf({ size: "-5" }), ok), "invalid", "size"],
    [
      "an unknown kind of sparse",
      tarOf(paxOf({ "GNU.sparse.major": "2", "GNU.sparse.minor": "0", "GNU.sparse.realsize": "9" }), ok),
      "feature_unknown",
      "2.0",
    ],
    ["a map without a count", tarOf(...map("x".repeat(600))), "invalid", "map"],
    ["a map longer than its file", tarOf(...map(`9999\n${"1\n".repeat(100)}`)), "invalid", "map"],
    ["a map of too many runs", tarOf(...map(`99999999\n${"1\n".repeat(300)}`)), "limit_exceeded", "runs"],
    [
      "a map that is no pairs",
      tarOf(paxOf({ "GNU.sparse.map": "1,2,3", "GNU.sparse.size": "9" }), ok),
      "invalid",
      "pairs",
    ],
  ];
  test.each(cases)("%s", async (_, tar, code, place) => {
    await expect(entriesOfTar(tar)).rejects.toMatchObject({ code, message: expect.stringContaining(place) });
  });
});

describe("a list of pieces", () => {
  test.each([
    ["gives another length than its container has", Uint8Array.of(1, 5), 6, "gives 5 bytes, expected 6"],
    ["gives more", Uint8Array.of(1, 200, 1), 100, "gives 200 bytes, expected 100"],
    ["names addresses that are not there", Uint8Array.of(2, 0, 200, 1), 200, "are not there"],
    ["has an unknown record", Uint8Array.of(4), 0, "begins with 4"],
    ["ends in a record", Uint8Array.of(0, 9, 1), 9, "bytes expected"],
  ])("that %s is told of by check", async (_, list, size, message) => {
    const sink = createMemorySink();
    const writer = await createArchive(sink, {});
    const pieces = await writer.addContent(contentOf(list));
    writer.addContainer({ format: "tar", name: "x.tar", size, pieces });
    await writer.finish();
    const { problems } = await checkArchive(await openArchive(sink.bytes()));
    expect(problems).toMatchObject([{ code: "invalid", where: "content", message: expect.stringContaining(message) }]);
  });
});

describe("the end", () => {
  test("without an end mark the members are kept, and that is told of", async () => {
    const { entries, warnings } = await entriesOfTar(tarOf(ok).subarray(0, 1024));
    expect([[...entries.keys()], warnings]).toEqual([["ok"], ["truncated: x.tar"]]);
  });

  test("what is behind the end mark is no member", async () => {
    const { entries, warnings } = await entriesOfTar(
      new Uint8Array(Buffer.concat([tarOf(ok), END, tarOf({ name: "b" })])),
    );
    expect([[...entries.keys()], warnings]).toEqual([["ok"], ["unsupported: x.tar"]]);
  });
});
