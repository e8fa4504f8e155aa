// Parents of format 1 that are not where their names say: renamed, in another directory, or behind another archive of
// the same name. They are found by what they store, or it is an error; never other bytes.

import { createHash } from "node:crypto";
import { copyFileSync, existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { checkArchive, createMemorySource, openArchive, type RangeSource } from "../src/core/index.ts";
import { LIMITS } from "../src/core/limits.ts";
import { openArchiveFile } from "../src/node/index.ts";
import { hexz, hexzJson } from "./support/cli.ts";
import { bytesOfKept, FORMAT1, keptArchives } from "./support/format1.ts";
import { temporaryDirectory } from "./support/trees.ts";

const sha256 = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest("hex");
const known = (name: string) => keptArchives.find(({ file }) => file === name)!;

/** A copy of a kept archive. */
function put(name: string, directory: string, as = name): string {
  const path = join(directory, as);
  copyFileSync(fileURLToPath(new URL(`archives/${name}`, FORMAT1)), path);
  return path;
}

/** The ancestors of a kept archive, nearest first. */
function ancestorsOf(name: string): string[] {
  const parents = known(name).parents ?? [];
  return [...new Set([...parents, ...parents.flatMap(ancestorsOf)])];
}

/** The digest of the main stream, or the code of the error. */
async function mainOf(path: string, parentDirs: readonly string[] = []): Promise<string> {
  const { password } = known(path.slice(path.lastIndexOf("/") + 1));
  const secrets = password === null ? {} : { secrets: { passwords: [password] } };
  const archive = await openArchiveFile(path, { parentDirs, ...secrets });
  try {
    return sha256(await (await archive.file("disk")).read());
  } catch (error) {
    return (error as { code: string }).code;
  } finally {
    await archive.close();
  }
}

const right = (name: string) => known(name).streams.main.sha256;

describe("parents that have other names are found by the blocks that they store", () => {
  const byContent = [
    "055-python-thin-moved.hxz",
    "055-python-thin-shifted.hxz",
    "055-python-two-parents.hxz",
    "055-checkpoint-1.hxz",
    "055-checkpoint-2.hxz",
    "051-writer-thin.hxz",
    "082-thin-edited.hxz",
    "082-thin-moved.hxz",
    "082-thin-grandchild.hxz",
    "082-thin-encrypted-child.hxz",
    "082-directory-thin.hxz",
  ];
  test.each(byContent)("%s", async (name) => {
    const [here, there] = [temporaryDirectory(), temporaryDirectory()];
    const child = put(name, here);
    expect(await mainOf(child)).toBe("parent_missing");
    for (const [number, parent] of ancestorsOf(name).entries()) put(parent, there, `other-${number}.hxz`);
    put("055-pack-random.hxz", there);
    writeFileSync(join(there, "no-archive.hxz"), "something else");
    expect(await mainOf(child)).toBe("parent_missing");
    expect(await mainOf(child, [there])).toBe(right(name));
  });

  test("check says where they are, and that the originals do not look there", async () => {
    const here = temporaryDirectory();
    const child = put("082-thin-moved.hxz", here);
    put("082-base.hxz", here, "renamed.hxz");
    const archive = await openArchiveFile(child);
    const { ok, warnings } = await checkArchive(archive);
    await archive.close();
    expect(ok).toBe(true);
    expect(warnings!.map(({ code, message }) => [code, message.includes("renamed.hxz")])).toEqual([
      ["original_differs", true],
    ]);
  });

  test("not where no digest says what is meant: references by position, differences, ends without blocks", async () => {
    const byPosition = ["055-commit-thin-8k.hxz", "055-commit-thin-64k.hxz"];
    for (const name of [...byPosition, "055-commit-thin-of-thin.hxz"]) {
      const here = temporaryDirectory();
      const child = put(name, here);
      for (const [number, parent] of ancestorsOf(name).entries()) put(parent, here, `other-${number}.hxz`);
      expect(await mainOf(child), name).toBe("parent_missing");
    }
    const here = temporaryDirectory();
    const archive = await openArchiveFile(put("070-checkpoint-1.hxz", here));
    put("070-checkpoint-0.hxz", here, "other.hxz");
    const problems = (await checkArchive(archive)).problems.map(({ code }) => code);
    await archive.close();
    expect(new Set(problems)).toEqual(new Set(["parent_missing"]));
  });
});

describe("another archive has the recorded name", () => {
  test.each(["082-thin-moved.hxz", "055-commit-thin-8k.hxz", "055-checkpoint-2.hxz"])(
    "%s: the right one in another directory is found",
    async (name) => {
      const [here, there, further] = [temporaryDirectory(), temporaryDirectory(), temporaryDirectory()];
      const child = put(name, here);
      for (const parent of ancestorsOf(name)) {
        put("055-pack-random.hxz", here, parent);
        writeFileSync(join(there, parent), "no archive");
        put(parent, further);
      }
      expect(await mainOf(child, [there])).toBe("parent_missing");
      expect(await mainOf(child, [there, further])).toBe(right(name));
    },
  );

  test("a renamed one beside it is found, by digest alone", async () => {
    for (const [name, found] of [
      ["082-thin-moved.hxz", right("082-thin-moved.hxz")],
      ["055-commit-thin-8k.hxz", "parent_missing"],
    ] as const) {
      const here = temporaryDirectory();
      const child = put(name, here);
      const [parent] = known(name).parents!;
      put("055-pack-random.hxz", here, parent);
      put(parent!, here, "renamed.hxz");
      expect(await mainOf(child), name).toBe(found);
    }
  });

  test("a later version of the base has other bytes: an error, not those", async () => {
    const here = temporaryDirectory();
    const child = put("055-commit-thin-8k.hxz", here);
    put("055-commit-thick.hxz", here, "055-base.hxz");
    expect(await mainOf(child)).toBe("parent_missing");
  });
});

test("the error names what was looked for, where, and how many other archives were looked through", () => {
  const [here, there] = [temporaryDirectory(), temporaryDirectory()];
  put("082-thin-moved.hxz", here);
  put("055-pack-random.hxz", there);
  const read = hexzJson(["extract", "082-thin-moved.hxz", "out", "--parent-dir", there], { cwd: here });
  expect(read.code).toBe(3);
  const { code, message, parent_hint, looked, searched_archives, hint } = read.document.error;
  expect([code, parent_hint, searched_archives]).toEqual(["parent_missing", "082-base.hxz", 1]);
  expect(looked).toEqual(
    [join(here, "082-base.hxz"), join(there, "082-base.hxz")].map((path) => expect.stringContaining(path.slice(-30))),
  );
  expect(message).toContain("one other archive there does not store these bytes");
  expect(hint).toContain("--parent-dir");
  // What it stores itself does not help, and nothing is written.
  expect(hexz(["cat", "082-thin-moved.hxz", "disk"], { cwd: here })).toMatchObject({ code: 3 });
  expect(existsSync(join(here, "out"))).toBe(false);
});

describe("diff goes on where a parent is missing", () => {
  /** Both archives in two directories, so that neither finds the other. */
  const apart = (child: string, base: string) => {
    const [here, there] = [temporaryDirectory(), temporaryDirectory()];
    const paths = [put(base, there), put(child, here)] as const;
    return (...more: string[]) => hexzJson(["diff", ...paths, ...more], { cwd: here });
  };

  test.each([
    ["082-thin-moved.hxz", "082-base.hxz"],
    ["082-directory-thin.hxz", "082-directory.hxz"],
    ["051-writer-thin.hxz", "055-base.hxz"],
  ])("%s: a reference by content is known by its digest", (child, base) => {
    const diff = apart(child, base);
    const { code, document } = diff();
    const [parent] = known(child).parents!;
    const there = temporaryDirectory();
    put(parent!, there);
    const complete = diff("--parent-dir", there).document;
    expect([code, document]).toEqual([known(child).variable_blocks ? 0 : 3, expect.anything()]);
    if (known(child).variable_blocks) expect(document).toEqual(complete);
    expect(complete.shared.chunks).toBeGreaterThan(0);
  });

  test("what is by position is not known: every place is named, the rest compared, exit code 3", () => {
    const { code, document } = apart("055-commit-thin-8k.hxz", "055-base.hxz")();
    expect(code).toBe(3);
    const lost = document.warnings.filter(({ code: one }: { code: string }) => one === "parent_missing");
    expect(
      lost.map(({ message }: { message: string }) => /^bytes (\d+) to (\d+) of "disk"/.exec(message)!.slice(1)),
    ).toEqual([
      ["8192", "16384"],
      ["32768", "163840"],
      ["172032", "204800"],
    ]);
    expect(lost[0].path).toContain("055-commit-thin-8k.hxz");
    expect(document.equal).toBe(false);
    expect(document.shared.chunks + document.only_b.chunks).toBe(26);
  });

  test("a broken page is damage: exit code 1, and what the other pages say is compared", () => {
    const here = temporaryDirectory();
    const path = put("082-directory.hxz", here);
    const { index_offset: master } = known("082-directory.hxz");
    const bytes = readFileSync(path);
    // the first page's count of entries
    bytes[Number(bytes.readBigUInt64LE(master + 8))]! ^= 1;
    const damaged = join(here, "damaged.hxz");
    writeFileSync(damaged, bytes);
    const { code, document } = hexzJson(["diff", path, damaged]);
    expect([code, document.warnings[0].code]).toEqual([1, "invalid"]);
    expect(document.shared.chunks).toBeGreaterThan(3);
    expect(document.files.unchanged).toBeGreaterThan(3);
  });

  test("who needs all of it is refused: a conversion of such an archive leaves nothing", () => {
    const here = temporaryDirectory();
    put("082-thin-moved.hxz", here);
    const { code, document } = hexzJson(["convert", "--to", "qcow2", "082-thin-moved.hxz", "out.qcow2"], { cwd: here });
    expect([code, document.error.code, existsSync(join(here, "out.qcow2"))]).toEqual([3, "parent_missing", false]);
  });
});

describe("the search is bounded", () => {
  const child = bytesOfKept("082-thin-moved.hxz");
  const searched = async (candidates: () => Iterable<RangeSource>) => {
    const archive = await openArchive(createMemorySource(child, "child"), { findParent: candidates });
    const error = await (await archive.file("disk")).read().catch((one: unknown) => one);
    return (error as { message: string }).message;
  };
  /** A source that counts what is read of it. */
  const counted = (bytes: Uint8Array, path: string, count: { bytes: number; open: number }): RangeSource => {
    const source = createMemorySource(bytes, path);
    count.open++;
    const read = async (start: number, end: number) => {
      count.bytes += end - start;
      return source.read(start, end);
    };
    return { name: path, path, size: source.size, read, close: () => void count.open-- };
  };

  test("by the number of files, each of them closed again", async () => {
    const count = { bytes: 0, open: 0 };
    const { files } = LIMITS.format1.search;
    const message = await searched(function* () {
      for (let number = 0; ; number++) yield counted(new Uint8Array(5000), `${number}.hxz`, count);
    });
    expect(message).toContain(`the search ended after ${files} files`);
    expect(count).toEqual({ bytes: files * 4096, open: 0 });
  });

  test("by the bytes of index pages, whatever an archive claims", async () => {
    const count = { bytes: 0, open: 0 };
    const big = bytesOfKept("082-base.hxz");
    const view = new DataView(big.buffer, big.byteOffset);
    const master = known("082-base.hxz").index_offset;
    // the length of its first page
    view.setUint32(master + 16, 300 * 2 ** 20, true);
    const message = await searched(function* () {
      for (let number = 0; number < 3; number++) yield counted(big, `${number}.hxz`, count);
    });
    expect(message).toContain("2.hxz was passed over: the search reads 268435456 bytes of index at most");
    expect(count.open).toBe(0);
    expect(count.bytes).toBeLessThan(100_000);
  });

  test("and ends where all is found: what lies behind is not opened, and an archive that lies hides no other", async () => {
    const count = { bytes: 0, open: 0 };
    const liar = bytesOfKept("082-base.hxz");
    new DataView(liar.buffer).setUint32(known("082-base.hxz").index_offset + 16, 300 * 2 ** 20, true);
    const findParent = function* () {
      yield counted(liar, "0.hxz", count);
      yield counted(bytesOfKept("055-pack-short.hxz"), "1.hxz", count);
      yield counted(bytesOfKept("082-base.hxz"), "2.hxz", count);
      expect.unreachable();
    };
    const archive = await openArchive(createMemorySource(child, "child"), { findParent });
    expect(sha256(await (await archive.file("disk")).read())).toBe(right("082-thin-moved.hxz"));
    expect(count.open).toBe(1);
    await archive.close();
    expect(count.open).toBe(0);
  });
});
