// check of format 1: what the original programs wrote is good, with what is worth knowing about it; what was made to
// harm a reader is refused by name, soon and without much memory.

import { expect, test } from "vitest";
import { type Archive, checkArchive, HexzError, type ReadOptions } from "../src/core/index.ts";
import { craftedArchives, type KeptArchive, keptArchives, openFormat1 } from "./support/format1.ts";

const secretsOf = (password: string | null | undefined): ReadOptions =>
  password === null || password === undefined ? {} : { secrets: { passwords: [password] } };

/** Which programs read an archive with parents wrongly, as they themselves have shown. */
function misreaders({ parents = [], original_reads: reads, layout, encrypted }: KeptArchive): string[] {
  if (parents.length === 0 || layout !== "0.5.2-0.8.2") return [];
  const wrong = (how: string | undefined) => how !== "equal";
  return [...(wrong(reads["0.5.5"]) && !encrypted ? ["0.5"] : []), ...(wrong(reads["0.8.2"]) ? ["0.8"] : [])];
}

test.each(keptArchives)("checkArchive() of $file", async (kept) => {
  const archive = await openFormat1("archives", kept.file, secretsOf(kept.password));
  const { ok, problems, warnings = [], checkedBytes } = await checkArchive(archive);
  if (kept.file === "055-pack-pipe.hxz") {
    expect(problems.map(({ code, where, path }) => [code, where, path])).toEqual([["invalid", "index", "disk"]]);
  } else expect([ok, problems]).toEqual([true, []]);
  const { main, auxiliary } = kept.streams;
  expect(checkedBytes).toBe(main.size + auxiliary.size);
  expect(warnings.some(({ where, path }) => where === "index" && path === "disk")).toBe(
    kept.file.includes("convert-tar"),
  );
  const misread = warnings.filter(({ code, where }) => code === "original_differs" && where === "content");
  const programs = misread.map(({ message }) => /hexz (0\.\d)/.exec(message)![1]);
  if (!kept.encrypted && kept.layout === "0.5.2-0.8.2") expect(programs).toEqual(misreaders(kept));
  expect(warnings.some(({ code }) => code === "untrusted")).toBe(kept.signature !== null);
  expect(warnings.some(({ code }) => code === "unsupported")).toBe(kept.entry_bytes === 20 && !kept.encrypted);
  const layout = warnings.filter(({ code, where }) => code === "invalid" && where === "layout");
  expect(layout).toEqual([]);
});

/** What each operation says of a crafted archive: how it opens, its main stream, its entries, and the check. */
async function outcomes(file: string, password: string | undefined) {
  const codeOf = async (step: () => Promise<unknown>): Promise<string> => {
    try {
      await step();
      return "right";
    } catch (error) {
      if (error instanceof HexzError) return error.code;
      throw error;
    }
  };
  let archive: Archive | undefined;
  const open = await codeOf(async () => {
    archive = await openFormat1("crafted", file, secretsOf(password));
  });
  if (archive === undefined) return { open };
  const opened = archive;
  const disk = await codeOf(async () => {
    for await (const parts of opened.parts(await opened.file("disk"))) {
      for (const part of parts) if ("error" in part) throw part.error;
    }
  });
  // Single reads and bulk reading find the same.
  expect(await codeOf(async () => (await opened.file("disk")).read())).toBe(disk);
  const entries = await codeOf(async () => {
    for await (const entry of opened.entries()) if (entry.type === "file") await opened.fileOf(entry).read();
  });
  let check = "";
  const thrown = await codeOf(async () => {
    check = [...new Set((await checkArchive(opened)).problems.map(({ code }) => code))].join(" ");
  });
  return { open, disk, entries, check: thrown === "right" ? check : thrown };
}

const GOOD_STREAM = { open: "right", disk: "right" };

test.each<[string, object]>([
  ["header-magic", { open: "not_an_archive" }],
  ["header-version-2", { open: "damaged" }],
  ["header-version-0", { open: "version_unknown" }],
  ["header-index-beyond-end", { open: "truncated" }],
  ["header-index-in-header", { open: "invalid" }],
  ["header-parent-count", { open: "limit_exceeded" }],
  ["header-option-tag", { open: "invalid" }],
  ["header-compression-7", { open: "feature_unknown" }],
  ["short-file", { open: "truncated" }],
  ["truncated", { open: "truncated" }],
  ["index-block-bit", { open: "right", disk: "damaged", entries: "right", check: "damaged" }],
  ["index-checksum-zero", { open: "right", disk: "damaged", entries: "right", check: "damaged" }],
  ["index-hash", { open: "right", disk: "damaged", entries: "right", check: "damaged" }],
  ["index-block-offset", { open: "right", disk: "invalid", entries: "right", check: "invalid" }],
  ["index-block-length", { open: "right", disk: "limit_exceeded", entries: "right", check: "limit_exceeded" }],
  ["index-page-offset", { open: "limit_exceeded" }],
  ["index-page-length", { open: "right", disk: "limit_exceeded", entries: "right", check: "limit_exceeded" }],
  ["index-page-start", { open: "invalid" }],
  ["index-page-count", { open: "limit_exceeded" }],
  ["index-entry-count", { open: "right", disk: "limit_exceeded", entries: "right", check: "limit_exceeded" }],
  ["index-stream-size", { open: "limit_exceeded" }],
  ["decodes-short-lz4", { open: "right", disk: "damaged", entries: "right", check: "damaged" }],
  ["decodes-long-lz4", { open: "right", disk: "damaged", entries: "right", check: "damaged" }],
  ["claims-4-gib-lz4", { open: "right", disk: "limit_exceeded", entries: "right", check: "limit_exceeded" }],
  ["decodes-short-zstd", { open: "right", disk: "damaged", entries: "right", check: "damaged" }],
  ["decodes-long-zstd", { open: "right", disk: "damaged", entries: "right", check: "damaged" }],
  ["claims-4-gib-zstd", { open: "right", disk: "limit_exceeded", entries: "right", check: "limit_exceeded" }],
  ["sparse-with-offset", { open: "right", disk: "invalid", entries: "right", check: "invalid" }],
  ["reference-no-parents", { open: "right", disk: "invalid", entries: "right", check: "invalid" }],
  ["reference-parent-missing", { open: "right", disk: "parent_missing", entries: "right", check: "parent_missing" }],
  ["reference-parent-is-itself", { open: "right", disk: "invalid", entries: "right", check: "invalid" }],
  [
    "reference-parent-lacks-block",
    { open: "right", disk: "parent_missing", entries: "right", check: "parent_missing" },
  ],
  ["cycle-a", { open: "right", disk: "invalid", entries: "right", check: "invalid" }],
  ["cycle-b", { open: "right", disk: "invalid", entries: "right", check: "invalid" }],
  ["iterations-99999", { open: "right", disk: "limit_exceeded", entries: "right", check: "limit_exceeded" }],
  ["iterations-4294967295", { open: "right", disk: "limit_exceeded", entries: "right", check: "limit_exceeded" }],
  // Names that are no paths are left out by extraction; their bytes are there.
  ["manifest-dotdot", { ...GOOD_STREAM, entries: "right", check: "" }],
  ["manifest-absolute", { ...GOOD_STREAM, entries: "right", check: "" }],
  ["manifest-inner-dotdot", { ...GOOD_STREAM, entries: "right", check: "" }],
  ["manifest-empty-path", { ...GOOD_STREAM, entries: "invalid", check: "invalid" }],
  ["manifest-dot", { ...GOOD_STREAM, entries: "right", check: "" }],
  ["manifest-nul", { ...GOOD_STREAM, entries: "right", check: "" }],
  ["manifest-duplicate", { ...GOOD_STREAM, entries: "invalid", check: "invalid" }],
  ["manifest-file-as-folder", { ...GOOD_STREAM, entries: "invalid", check: "invalid" }],
  ["manifest-beyond-end", { ...GOOD_STREAM, entries: "invalid", check: "invalid" }],
  ["manifest-offset-beyond-end", { ...GOOD_STREAM, entries: "invalid", check: "invalid" }],
  ["manifest-negative", { ...GOOD_STREAM, entries: "invalid", check: "invalid" }],
  ["manifest-setuid", { ...GOOD_STREAM, entries: "right", check: "" }],
])("%s is what it is", async (name, expected) => {
  const crafted = craftedArchives.find(({ file }) => file === `${name}.hxz`);
  expect(crafted?.expect).toBe("refuse");
  const began = performance.now();
  expect(await outcomes(`${name}.hxz`, crafted?.password)).toEqual(expected);
  expect(performance.now() - began).toBeLessThan(2000);
});

test("every archive that was made to be refused has its line above", () => {
  const refused = craftedArchives.filter(({ expect: what }) => what === "refuse");
  expect(refused.length).toBe(48);
});

test("a forged page is read, and check says what the signature covers", async () => {
  const { ok, warnings = [] } = await checkArchive(await openFormat1("crafted", "signed-forged-page.hxz"));
  expect([ok, warnings.map(({ code }) => code)]).toEqual([true, ["invalid", "untrusted"]]);
});

test("a wrong password is named as such, a missing one too, and damage is neither", async () => {
  const read = async (password: string | undefined) => {
    const archive = await openFormat1("archives", "055-pack-zstd-dict-encrypted.hxz", secretsOf(password));
    const file = await archive.file("disk");
    return file.read(0, 10).then(
      () => "right",
      (error: HexzError) => error.code,
    );
  };
  expect([await read("correct horse"), await read("wrong"), await read(undefined)]).toEqual([
    "right",
    "password_wrong",
    "password_missing",
  ]);
});
