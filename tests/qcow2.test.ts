// qcow2 images as QEMU makes them, of both versions and all kinds of clusters: what we read is what `qemu-img convert`
// reads.

import { copyFileSync, mkdirSync, openSync, readFileSync, writeFileSync, writeSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { planQcow2 } from "../src/core/disk/qcow2-plan.ts";
import { zstdFrameLength } from "../src/core/disk/zstd-frame.ts";
import { hexz, hexzJson, shell } from "./support/cli.ts";
import { KIB, MIB, makeRaw, qemuIo, qemuRaw, readImage } from "./support/disks.ts";
import { run, temporaryDirectory } from "./support/trees.ts";

/** A directory with `raw.img` and `image.qcow2` made of it. */
function place(options = "compat=1.1", ...more: string[]): string {
  const cwd = temporaryDirectory();
  makeRaw(cwd);
  run("qemu-img", ["convert", "-f", "raw", "-O", "qcow2", "-o", options, ...more, "raw.img", "image.qcow2"], cwd);
  return cwd;
}

describe("qcow2 to a stream", () => {
  test.each([
    ["compat=0.10"],
    ["compat=0.10", "-c"],
    ["compat=1.1"],
    ["compat=1.1", "-c"],
    ["compression_type=zstd", "-c"],
    ["compression_type=zstd,cluster_size=4096", "-c"],
    ["cluster_size=512"],
    ["cluster_size=512", "-c"],
    ["cluster_size=2M"],
    ["cluster_size=2M", "-c"],
    ["extended_l2=on"],
    ["extended_l2=on,cluster_size=16384", "-c"],
    ["preallocation=metadata"],
  ])("reads what was converted with %s %s", async (options, ...more) => {
    const cwd = place(options, ...more);
    const { bytes, warnings } = await readImage(join(cwd, "image.qcow2"));
    expect(bytes.equals(readFileSync(join(cwd, "raw.img")))).toBe(true);
    expect(warnings).toEqual([]);
  });

  test.each(["compat=1.1", "extended_l2=on", "cluster_size=512"])(
    "zero clusters of %s, with and without room, are zeros",
    async (options) => {
      const cwd = place(options);
      qemuIo(cwd, "image.qcow2", "write -z 0 128k", "write -zu 1M 64k", "write -z 3M 4k", "discard 5M 64k");
      qemuIo(cwd, "image.qcow2", "write -P 3 2M 2k", "write -P 4 7M 512");
      const { bytes } = await readImage(join(cwd, "image.qcow2"));
      expect(bytes.equals(qemuRaw(cwd, "image.qcow2"))).toBe(true);
    },
  );

  test("what is not allocated is told as a hole and costs nothing", async () => {
    const cwd = temporaryDirectory();
    run("qemu-img", ["create", "-q", "-f", "qcow2", "image.qcow2", "3T"], cwd);
    qemuIo(cwd, "image.qcow2", "write -P 7 2T 64k");
    const { code, document } = hexzJson(["convert", "auto", "image.qcow2", "disk.hxz"], { cwd });
    expect([code, document.original_size]).toEqual([0, 3 * 2 ** 40]);
    expect(document.chunks.zero_bytes).toBeGreaterThan(3 * 2 ** 40 - MIB);
    const { document: inspected } = hexzJson(["inspect", "disk.hxz"], { cwd });
    expect(inspected.streams).toEqual([{ name: "disk", size: 3 * 2 ** 40 }]);
    const { bytes } = hexz(["cat", "disk.hxz", "disk", "--range", `${2 * 2 ** 40 - 1}+65538`], { cwd });
    expect(bytes.equals(Buffer.concat([Buffer.of(0), Buffer.alloc(65536, 7), Buffer.of(0)]))).toBe(true);
  });

  test("internal snapshots are named, the active state is read", async () => {
    const cwd = place();
    run("qemu-img", ["snapshot", "-c", "before the update", "image.qcow2"], cwd);
    run("qemu-img", ["snapshot", "-c", "später", "image.qcow2"], cwd);
    qemuIo(cwd, "image.qcow2", "write -P 9 1M 100k");
    const { bytes } = await readImage(join(cwd, "image.qcow2"));
    expect(bytes.equals(qemuRaw(cwd, "image.qcow2"))).toBe(true);
    const { code, document } = hexzJson(["convert", "qcow2", "image.qcow2", "disk.hxz"], { cwd });
    expect([code, document.warnings]).toEqual([
      0,
      ["before the update", "später"].map((name, number) => ({
        path: "image.qcow2",
        code: "unsupported",
        message: `image.qcow2: the internal snapshot "${name}" (id ${number + 1}) is left out`,
      })),
    ]);
  });

  test("an image that QEMU marked is read, dirty without a word, corrupt with exit code 1", async () => {
    const cwd = place();
    const mark = (bit: number) => writeSync(openSync(join(cwd, "image.qcow2"), "r+"), Uint8Array.of(bit), 0, 1, 79);
    mark(1);
    expect((await readImage(join(cwd, "image.qcow2"))).warnings).toEqual([]);
    mark(2);
    const { code, document } = hexzJson(["pack", "d.hxz", "--disk", "image.qcow2", "--disk-format", "qcow2"], { cwd });
    expect([code, document.warnings[0].code]).toEqual([1, "damaged"]);
    expect(shell("hexz cat d.hxz disk | cmp - raw.img", cwd).code).toBe(0);
  });
});

describe("backing files", () => {
  /** `top.qcow2` on `middle.qcow2` on a raw image, each larger than the one below, in directories of their own. */
  function chain(): string {
    const cwd = temporaryDirectory();
    makeRaw(cwd);
    mkdirSync(join(cwd, "below"));
    run("qemu-img", ["create", "-q", "-f", "qcow2", "-b", "../raw.img", "-F", "raw", "below/middle.qcow2", "12M"], cwd);
    qemuIo(cwd, "below/middle.qcow2", "write -P 5 1M 70k", "write -z 3M 64k", "write -P 6 11M 4k");
    const top = ["-b", "below/middle.qcow2", "-F", "qcow2", "-o", "cluster_size=4096", "top.qcow2", "20M"];
    run("qemu-img", ["create", "-q", "-f", "qcow2", ...top], cwd);
    qemuIo(cwd, "top.qcow2", "write -P 8 1100k 9k", "write -z 0 8k", "write -P 9 19M 512");
    return cwd;
  }

  test("are not opened unasked: exit code 2, and the name that was found", () => {
    const cwd = chain();
    for (const command of [
      ["convert", "qcow2", "top.qcow2", "disk.hxz"],
      ["pack", "disk.hxz", "--disk", "top.qcow2", "--disk-format", "qcow2"],
    ]) {
      const { code, document } = hexzJson(command, { cwd });
      expect([code, document.error.code, document.error.backing]).toEqual([2, "usage", "below/middle.qcow2"]);
    }
    expect(run("ls", ["-A"], cwd).split("\n")).not.toContain("disk.hxz");
  });

  test("are read with --allow-backing, from where the image is, and end in zeros", async () => {
    const cwd = chain();
    const { bytes } = await readImage(join(cwd, "top.qcow2"), { allowBacking: true });
    expect(bytes.equals(qemuRaw(cwd, "top.qcow2"))).toBe(true);
    const [image, output] = [join(cwd, "top.qcow2"), join(cwd, "disk.hxz")];
    const command = ["pack", output, "--disk", image, "--disk-format", "qcow2", "--allow-backing"];
    expect(hexz(command, { cwd: "/" })).toMatchObject({ code: 0, stderr: "" });
    expect(shell("hexz cat disk.hxz disk | cmp - expected.raw", cwd).code).toBe(0);
  });

  test("are no output, whatever is forced", () => {
    const cwd = chain();
    for (const output of ["top.qcow2", "below/middle.qcow2", "raw.img"]) {
      const command = ["convert", "qcow2", "top.qcow2", output, "--allow-backing", "--force"];
      expect(hexzJson(command, { cwd }).document.error.code).toBe("output_is_input");
    }
  });

  test("that are missing, of another format, elsewhere than in a file, or in a circle are named", async () => {
    const cwd = temporaryDirectory();
    const create = (image: string, backing: string, format: string) =>
      run("qemu-img", ["create", "-q", "-u", "-f", "qcow2", "-b", backing, "-F", format, image, "1M"], cwd);
    create("a.qcow2", "gone.img", "raw");
    create("b.qcow2", "a.qcow2", "vmdk");
    create("c.qcow2", "nbd://localhost", "raw");
    create("d.qcow2", "e.qcow2", "qcow2");
    create("e.qcow2", "./d.qcow2", "qcow2");
    create("f.qcow2", "raw", "qcow2");
    writeFileSync(join(cwd, "raw"), "not qcow2 at all");
    const outcomes = [
      ["a", "not_found", /a\.qcow2 lies upon .*gone\.img, which is not there/],
      ["b", "feature_unknown", /format "vmdk"/],
      ["c", "feature_unknown", /nbd:\/\/localhost/],
      ["d", "invalid", /comes back to/],
      ["f", "invalid", /does not begin with the magic/],
    ] as const;
    for (const [name, code, message] of outcomes) {
      const reading = readImage(join(cwd, `${name}.qcow2`), { allowBacking: true });
      await expect(reading, name).rejects.toMatchObject({ code, message: expect.stringMatching(message) });
    }
  });

  test("more than 256 of them are refused", async () => {
    const cwd = temporaryDirectory();
    for (let number = 0; number <= 258; number++) {
      const backing = number === 0 ? [] : ["-u", "-b", `${number - 1}`, "-F", "qcow2"];
      if (number < 2) run("qemu-img", ["create", "-q", "-f", "qcow2", ...backing, `${number}`, "1M"], cwd);
      else {
        const bytes = readFileSync(join(cwd, "1"));
        const name = Buffer.from(`${number - 1}`);
        bytes.set(name, Number(bytes.readBigUInt64BE(8)));
        bytes.writeUInt32BE(name.length, 16);
        writeFileSync(join(cwd, `${number}`), bytes);
      }
    }
    await expect(readImage(join(cwd, "258"), { allowBacking: true })).rejects.toMatchObject({ code: "limit_exceeded" });
    expect((await readImage(join(cwd, "200"), { allowBacking: true })).bytes.length).toBe(MIB);
  });
});

describe("a stream to qcow2", () => {
  test("gives an image that QEMU finds whole and equal, of a file and of a pipe", () => {
    const cwd = place();
    expect(hexz(["convert", "qcow2", "image.qcow2", "disk.hxz"], { cwd }).code).toBe(0);
    const { code, document } = hexzJson(["convert", "--to", "qcow2", "disk.hxz", "again.qcow2"], { cwd });
    expect([code, document.format, document.warnings]).toEqual([0, "qcow2", []]);
    run("qemu-img", ["check", "-q", "again.qcow2"], cwd);
    run("qemu-img", ["compare", "-q", "again.qcow2", "raw.img"], cwd);
    expect(document.bytes).toBe(readFileSync(join(cwd, "again.qcow2")).length);
    expect(document.bytes).toBeLessThan(3 * MIB);
    expect(shell("hexz convert --to qcow2 disk.hxz - | cmp - again.qcow2", cwd).code).toBe(0);
    copyFileSync(join(cwd, "disk.hxz"), join(cwd, "kept.hxz"));
    const { document: refused } = hexzJson(["convert", "--to", "qcow2", "disk.hxz", "disk.hxz", "--force"], { cwd });
    expect(refused.error.code).toBe("output_is_input");
  });

  test.each([0, 1, 511, 512, 64 * KIB, 64 * KIB + 1])("of %i bytes is padded to whole sectors", (size) => {
    const cwd = temporaryDirectory();
    writeFileSync(join(cwd, "raw"), Buffer.alloc(size, 5));
    hexz(["pack", "disk.hxz", "--disk", "raw"], { cwd });
    expect(hexz(["convert", "--to", "qcow2", "disk.hxz", "out.qcow2"], { cwd }).code).toBe(0);
    run("qemu-img", ["check", "-q", "out.qcow2"], cwd);
    run("qemu-img", ["compare", "-q", "-F", "raw", "out.qcow2", "raw"], cwd);
  });

  test("planQcow2() counts its clusters and finds every table, whatever runs cross", () => {
    const cluster = 64 * KIB;
    const table = 8192 * cluster;
    const data = [
      { start: 1, end: 2 },
      { start: table - 1, end: table + 1 },
      { start: 5 * table, end: 7 * table + cluster },
    ];
    const plan = planQcow2(20 * table, data);
    const tables = Buffer.concat([...plan.tables()]);
    const bytes = plan.data.reduce((sum, { start, end }) => sum + end - start, 0);
    expect(plan.length).toBe(tables.length + bytes + plan.padding);
    // L1: tables 0, 1, 5, 6 and 7 are there, one after the other.
    const l1 = Number(tables.readBigUInt64BE(40));
    const entries = Array.from({ length: 20 }, (_, number) =>
      Number(tables.readBigUInt64BE(l1 + number * 8) & 0xffff_ffffn),
    );
    expect(entries.flatMap((entry, number) => (entry === 0 ? [] : [number]))).toEqual([0, 1, 5, 6, 7]);
    // The last cluster that a table names is the last of the file.
    const last = tables.readBigUInt64BE(entries[7]! + 0 * 8) & ((1n << 56n) - 1n);
    expect(Number(last)).toBe(plan.length - cluster);
  });
});

test("pack --disk takes a qcow2 image as the file that it is, unless told otherwise", () => {
  const cwd = place();
  expect(hexz(["pack", "disk.hxz", "--disk", "image.qcow2"], { cwd }).code).toBe(0);
  expect(shell("hexz cat disk.hxz disk | cmp - image.qcow2", cwd).code).toBe(0);
  const { document } = hexzJson(["pack", "d.hxz", "--disk", "-", "--disk-format", "qcow2"], { cwd });
  expect(document.error.code).toBe("usage");
  expect(hexzJson(["pack", "raw.img", "d.hxz", "--disk-format", "qcow2"], { cwd }).document.error.code).toBe("usage");
});

test("zstdFrameLength() ends where zstd ends, with and without a checksum", () => {
  const cwd = temporaryDirectory();
  makeRaw(cwd);
  for (const options of [["--check"], ["--no-check"], ["-19", "--check"], ["--content-size"]]) {
    run("zstd", ["-qf", ...options, "raw.img", "-o", "frame.zst"], cwd);
    const frame = readFileSync(join(cwd, "frame.zst"));
    expect(zstdFrameLength(Buffer.concat([frame, Buffer.alloc(500, 1)]))).toBe(frame.length);
    expect(() => zstdFrameLength(frame.subarray(0, -1))).toThrow(/does not end/);
  }
});
