// File systems that take names for the same which differ in case or normalisation, as those of macOS and Windows do: made
// of the one here by folding every name on its way to the system, so that this is tested on every machine.

import { mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, onTestFinished, test, vi } from "vitest";
import {
  byteStringFromText,
  contentOf,
  createArchive,
  createMemorySink,
  type Entry,
  openArchive,
} from "../src/core/index.ts";
import { extractTree } from "../src/node/extract.ts";
import { temporaryDirectory } from "./support/trees.ts";

/** What follows is below the destination. */
const BELOW = /^(\/proc\/self\/fd\/\d+\/|.*\/destination\/)(.*)$/s;

const { folded } = vi.hoisted(() => ({
  folded: (path: unknown): unknown => {
    if (typeof path !== "string" && !Buffer.isBuffer(path)) return path;
    const [, prefix, below] = BELOW.exec(path.toString()) ?? [];
    if (below === undefined) return path;
    const same = `${prefix}${below.normalize("NFC").toLowerCase()}`;
    return typeof path === "string" ? same : Buffer.from(same);
  },
}));

vi.mock("../src/node/libc.ts", () => ({ libc: () => undefined }));
vi.mock("node:fs", async (original) => {
  const real = (await original()) as Record<string, unknown>;
  const ONE = ["openSync", "mkdirSync", "lstatSync", "statSync", "unlinkSync", "existsSync", "opendirSync"];
  const TWO = ["renameSync", "linkSync"];
  const fake: Record<string, unknown> = { ...real };
  for (const name of [...ONE, ...TWO, "symlinkSync"]) {
    const call = real[name] as (...args: unknown[]) => unknown;
    fake[name] = (first: unknown, second: unknown, ...rest: unknown[]) => {
      const isBoth = TWO.includes(name);
      const isSecond = isBoth || name === "symlinkSync";
      return call(name === "symlinkSync" ? first : folded(first), isSecond ? folded(second) : second, ...rest);
    };
  }
  return { ...fake, default: fake };
});

function on(platform: string): void {
  const real = Object.getOwnPropertyDescriptor(process, "platform")!;
  Object.defineProperty(process, "platform", { ...real, value: platform });
  onTestFinished(() => void Object.defineProperty(process, "platform", real));
}

async function archiveOf(items: readonly (Omit<Entry, "path"> & { path: string; content?: string })[]) {
  const sink = createMemorySink();
  const writer = await createArchive(sink, { anyOrder: () => {} });
  for (const { path, content, ...about } of items) {
    const entry = { ...about, path: byteStringFromText(path) } as Entry;
    if (content === undefined) await writer.addEntry(entry);
    else await writer.addFile(entry, contentOf(Buffer.from(content)));
  }
  await writer.finish();
  return openArchive(sink.bytes());
}

/** The code of the error, or of the warnings. */
async function extracted(archive: Awaited<ReturnType<typeof archiveOf>>, to: string, options = {}): Promise<string[]> {
  try {
    const { warnings } = await extractTree(archive, to, { xattrs: false, owner: false, ...options });
    return warnings.map(({ code }) => code);
  } catch (error) {
    return [(error as { code?: string }).code ?? String(error)];
  }
}

const PAIRS = [
  ["A", "a"],
  ["cafe\u0301", "caf\u00e9"],
  ["d/Stra\u00dfe", "d/STRA\u00dfE"],
] as const;

const EVERYWHERE = ["linux", "darwin"].flatMap((platform) => PAIRS.map((pair) => ({ platform, pair })));

test.each(EVERYWHERE)(
  "$pair on $platform: the second is a collision, and the first stays",
  async ({ platform, pair }) => {
    on(platform);
    const to = join(temporaryDirectory(), "destination");
    const archive = await archiveOf(pair.map((path) => ({ path, type: "file", content: `content of ${path}` })));
    expect(await extracted(archive, to)).toContain("collision");
    const files = (
      readdirSync(to, { recursive: true, withFileTypes: true }) as {
        name: string;
        parentPath: string;
        isFile(): boolean;
      }[]
    ).filter((found) => found.isFile());
    expect(files.length).toBe(1);
    const content = readFileSync(join(files[0]!.parentPath, files[0]!.name), "utf8");
    expect(pair.map((path) => `content of ${path}`)).toContain(content);
  },
);

test.each(["linux", "darwin"])(
  "with force neither replaces the other, but both what was there (%s)",
  async (platform) => {
    on(platform);
    const to = join(temporaryDirectory(), "destination");
    mkdirSync(to);
    writeFileSync(join(to, "a"), "old");
    const archive = await archiveOf([
      { path: "A", type: "file", content: "first" },
      { path: "a", type: "file", content: "second" },
    ]);
    expect(await extracted(archive, to, { force: true })).toEqual(["collision"]);
    expect(readdirSync(to)).toEqual(["a"]);
    expect(readFileSync(join(to, "a"), "utf8")).toBe("first");
    const link = await archiveOf([
      { path: "A", type: "file", content: "first" },
      { path: "a", type: "symlink", target: byteStringFromText("elsewhere") },
    ]);
    expect(await extracted(link, to, { force: true })).toEqual(["collision"]);
    expect(readFileSync(join(to, "a"), "utf8")).toBe("first");
  },
);

test.each(["linux", "darwin"])("a symlink is not followed by another spelling of its name (%s)", async (platform) => {
  on(platform);
  const root = temporaryDirectory();
  const [to, outside] = [join(root, "destination"), join(root, "outside")];
  mkdirSync(outside);
  // In tree order "A" comes before "a/file".
  const archive = await archiveOf([
    { path: "A", type: "symlink", target: byteStringFromText(outside) },
    { path: "a/file", type: "file", content: "escaped" },
  ]);
  expect((await extracted(archive, to)).length).toBeGreaterThan(0);
  expect(readdirSync(outside)).toEqual([]);
});

test.each(["linux", "darwin"])(
  "what is in the way under another spelling is seen before anything is written (%s)",
  async (platform) => {
    on(platform);
    const root = temporaryDirectory();
    const to = join(root, "destination");
    mkdirSync(to);
    symlinkSync("nowhere", join(to, "readme"));
    const archive = await archiveOf([
      { path: "AAA", type: "file", content: "first" },
      { path: "README", type: "file", content: "second" },
    ]);
    expect(await extracted(archive, to)).toEqual(["collision"]);
    expect(readdirSync(to)).toEqual(["readme"]);
  },
);
