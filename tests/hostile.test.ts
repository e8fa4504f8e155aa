// Archives that were made to do harm (support/hostile.ts): every one ends in a named error, or in the right bytes where
// only its promises are wrong, soon and without much memory.

import { expect, test } from "vitest";
import { checkArchive } from "../src/core/index.ts";
import type { Archive } from "../src/core/read/archive.ts";
import { entriesOf } from "./support/archives.ts";
import { hostile } from "./support/hostile.ts";
import { codeOf, openQuickly, WrongOutcome } from "./support/outcomes.ts";
import { forge } from "./support/reference-forge.ts";

const MOST_MILLISECONDS = 3000;

/** What each way to read the archive comes to: "right" when it raised nothing, or its code. */
async function ways(bytes: Uint8Array): Promise<Record<string, string>> {
  const outcome: Record<string, string> = {};
  const began = performance.now();
  let archive: Archive | undefined;
  const attempt = async (way: string, step: () => Promise<unknown>) => {
    try {
      await step();
      outcome[way] = "right";
    } catch (error) {
      if (error instanceof WrongOutcome) throw error;
      outcome[way] = codeOf(error);
    }
  };
  await attempt("open", async () => {
    archive = await openQuickly(bytes);
  });
  if (archive !== undefined) {
    const opened = archive;
    await attempt("list", () => entriesOf(opened));
    await attempt("read", async () => {
      for (const { name } of opened.streams) await readAll(opened, name);
      for (const { path, type } of await entriesOf(opened)) if (type === "file") await readAll(opened, `./${path}`);
    });
    await attempt("bulk", async () => {
      let at = 0;
      for await (const parts of opened.bulk([{ start: 0, end: opened.root.addressSpace }])) {
        for (const part of parts) {
          expect(part.start).toBe(at);
          at = part.end;
          if ("bytes" in part) expect(part.bytes.length).toBe(part.end - part.start);
          if ("error" in part) throw part.error;
        }
      }
      expect(at).toBe(opened.root.addressSpace);
    });
    const { problems } = await checkArchive(opened);
    outcome.check = [...new Set(problems.map(({ code }) => code))].sort().join(" ") || "right";
  }
  expect(performance.now() - began).toBeLessThan(MOST_MILLISECONDS);
  return outcome;
}

async function readAll(archive: Archive, path: string): Promise<void> {
  const content = await archive.file(path);
  const bytes = await content.read();
  expect(bytes.length).toBe(content.size);
}

test.each(hostile)("%s", async (_, make, expected) => {
  const made = make();
  const outcome = await ways(made instanceof Uint8Array ? made : forge(made).file);
  expect(outcome).toMatchObject(expected);
});
