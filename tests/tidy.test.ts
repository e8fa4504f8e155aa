// House rules: which folder may import which, how long a file may be, who may end the process or print, and that
// documents name files that exist. The rules themselves are in docs/design.md.

import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join, normalize, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";

const ROOT = fileURLToPath(new URL("..", import.meta.url));
const MOST_LINES = 400;

/** Files below a folder by their path from the root, generated ones left out. */
function filesIn(folder: string, endings: readonly string[]): string[] {
  if (!existsSync(join(ROOT, folder))) return [];
  return readdirSync(join(ROOT, folder), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && endings.some((ending) => entry.name.endsWith(ending)))
    .map((entry) => relative(ROOT, join(entry.parentPath, entry.name)))
    .filter((path) => !path.includes(".generated.") && !path.includes("node_modules"))
    .sort();
}

const read = (path: string) => readFileSync(join(ROOT, path), "utf8");
/** Without comments, so that words in them are no code. */
const codeOf = (path: string) => read(path).replace(/\/\*[\s\S]*?\*\/|^\s*\/\/.*$/gm, "");
const sources = filesIn("src", [".ts"]).filter((path) => !path.startsWith("src/kernels/"));

/** What a file imports, types included: files by path, packages by name. */
function importsOf(path: string, code = codeOf(path)): string[] {
  const statements = /(?:^(?:import|export)[^"';]*\sfrom\s|^import\s|\bimport\()\s*"([^"]+)"/gm;
  const specifiers = [...code.matchAll(statements)].map((match) => match[1]!);
  return specifiers.map((name) => (name.startsWith(".") ? normalize(join(dirname(path), name)) : name));
}

/** What is there when the program runs. */
const loadedBy = (path: string) =>
  graph.has(path) ? importsOf(path, codeOf(path).replace(/^(?:import|export) type [^;]*;/gm, "")) : [];

const graph = new Map(sources.map((path) => [path, importsOf(path)]));

/** Imports from files of one folder to what the rule does not allow. */
function offenders(folder: string, allowed: (target: string) => boolean): string[] {
  return [...graph].flatMap(([path, targets]) =>
    path.startsWith(folder) ? targets.filter((target) => !allowed(target)).map((target) => `${path} → ${target}`) : [],
  );
}

const inside =
  (...folders: string[]) =>
  (target: string) =>
    folders.some((folder) => target.startsWith(folder));
/** Files directly in src/core: errors, limits, bytes, digest, engine and the engines. */
const isBase = (target: string) => /^src\/core\/[^/]+\.ts$/.test(target) && target !== "src/core/index.ts";

describe("imports", () => {
  test("the core knows no Node, no command line and no package but its Zstandard and age", () => {
    const isKnown = (target: string) => target.startsWith("src/core/") || target === "age-encryption";
    expect(offenders("src/core/", isKnown)).toEqual([]);
    for (const path of sources.filter(inside("src/core/"))) {
      expect(/\bBuffer\b|\bprocess\./.test(codeOf(path)), path).toBe(false);
    }
  });

  test("format and source import the base and themselves", () => {
    expect(offenders("src/core/format/", (target) => isBase(target) || inside("src/core/format/")(target))).toEqual([]);
    expect(offenders("src/core/source/", (target) => isBase(target) || inside("src/core/source/")(target))).toEqual([]);
  });

  test("tar imports the base and the format", () => {
    const allowed = ["src/core/tar/", "src/core/format/"];
    expect(offenders("src/core/tar/", (target) => isBase(target) || inside(...allowed)(target))).toEqual([]);
  });

  test("crypto imports the base, the format and the sources", () => {
    const allowed = inside("src/core/crypto/", "src/core/format/", "src/core/source/");
    const isKnown = (target: string) => isBase(target) || allowed(target) || target === "age-encryption";
    expect(offenders("src/core/crypto/", isKnown)).toEqual([]);
  });

  test("work imports the base", () => {
    expect(offenders("src/core/work/", (target) => isBase(target) || inside("src/core/work/")(target))).toEqual([]);
  });

  test("read and write do not import each other", () => {
    const both = ["src/core/format/", "src/core/source/", "src/core/work/", "src/core/crypto/"];
    expect(
      offenders("src/core/read/", (target) => isBase(target) || inside("src/core/read/", ...both)(target)),
    ).toEqual([]);
    expect(
      offenders("src/core/write/", (target) => isBase(target) || inside("src/core/write/", ...both)(target)),
    ).toEqual([]);
  });

  test("analysis imports neither what reads archives nor what makes them, but the seam to inputs", () => {
    const allowed = ["src/core/format/", "src/core/work/", "src/core/analyze/", "src/core/write/content-input.ts"];
    expect(offenders("src/core/analyze/", (target) => isBase(target) || inside(...allowed)(target))).toEqual([]);
  });

  test("disk images know what they are read from and packed as, and no archive", () => {
    const seam = "src/core/write/content-input.ts";
    const allowed = inside("src/core/disk/", "src/core/format/", "src/core/source/");
    expect(offenders("src/core/disk/", (target) => isBase(target) || target === seam || allowed(target))).toEqual([]);
  });

  test("nothing but the command line imports the command line", () => {
    for (const folder of ["src/core/", "src/node/"]) {
      expect(offenders(folder, (target) => !target.startsWith("src/cli/"))).toEqual([]);
    }
  });

  test("imports of files end in .ts and exist", () => {
    const files = [...graph.values()].flat().filter((target) => target.startsWith("src/"));
    expect(files.filter((target) => !target.endsWith(".ts") || !existsSync(join(ROOT, target)))).toEqual([]);
  });

  test("there are no cycles, those of types alone aside", () => {
    const cycles: string[] = [];
    const state = new Map<string, "open" | "done">();
    const visit = (path: string, trail: string[]) => {
      if (state.get(path) === "done") return;
      if (state.get(path) === "open") {
        cycles.push([...trail.slice(trail.indexOf(path)), path].join(" → "));
        return;
      }
      state.set(path, "open");
      for (const target of loadedBy(path)) visit(target, [...trail, path]);
      state.set(path, "done");
    };
    for (const path of graph.keys()) visit(path, []);
    expect(cycles).toEqual([]);
  });

  test("the reference decoder shares nothing with what it judges", () => {
    const support = filesIn("tests/support", [".ts"]).filter((path) => path.includes("/reference"));
    expect(support.length).toBeGreaterThan(10);
    expect(support.flatMap((path) => importsOf(path)).filter((target) => target.startsWith("src/"))).toEqual([]);
  });
});

test(`no file has more than ${MOST_LINES} lines`, () => {
  const files = ["src", "tests", "scripts", "bench"].flatMap((folder) => filesIn(folder, [".ts", ".mjs"]));
  const long = files.map((path) => [path, read(path).split("\n").length - 1] as const);
  expect(long.filter(([, lines]) => lines > MOST_LINES)).toEqual([]);
});

test("every module opens with what it is", () => {
  const starts = (path: string) => /^(#!.*\n)?\/\/ \S/.test(read(path));
  const files = [...sources, ...["tests", "scripts", "bench"].flatMap((folder) => filesIn(folder, [".ts", ".mjs"]))];
  expect(files.filter((path) => !starts(path))).toEqual([]);
});

test("only the command line's main module ends the process, only its terminal uses the console", () => {
  const using = (pattern: RegExp) => sources.filter((path) => pattern.test(codeOf(path)));
  expect(using(/\bprocess\.exit\(/).filter((path) => path !== "src/cli/main.ts")).toEqual([]);
  expect(using(/\bconsole\./).filter((path) => path !== "src/cli/terminal.ts")).toEqual([]);
});

test("documents and comments name files that exist", () => {
  const documents = [...filesIn("docs", [".md"]), ...(existsSync(join(ROOT, "README.md")) ? ["README.md"] : [])];
  const named = /(?<![\w/.@-])((?:src|tests|scripts|bench|docs)\/[\w./-]+\.(?:ts|mjs|md|json))\b/g;
  const missing = [...documents, ...sources].flatMap((path) =>
    [...read(path).matchAll(named)]
      .filter(([, file]) => !existsSync(join(ROOT, file!)))
      .map(([, file]) => `${path}: ${file}`),
  );
  expect(missing).toEqual([]);
});

test("links inside documents lead somewhere", () => {
  const broken: string[] = [];
  for (const path of filesIn("docs", [".md"])) {
    const text = read(path);
    const anchors = new Set(
      [...text.matchAll(/^#+ (.*)$/gm)].map(([, title]) =>
        title!
          .toLowerCase()
          .replace(/[^\w\s-]/g, "")
          .trim()
          .replaceAll(" ", "-"),
      ),
    );
    for (const [, target] of text.matchAll(/\]\(([^)\s]+)\)/g)) {
      if (/^[a-z]+:/.test(target!)) continue;
      const [file, anchor] = target!.split("#");
      if (file !== "" && !existsSync(join(ROOT, dirname(path), file!))) broken.push(`${path}: ${target}`);
      if (file === "" && !anchors.has(anchor!)) broken.push(`${path}: ${target}`);
    }
  }
  expect(broken).toEqual([]);
});
