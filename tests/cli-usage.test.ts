// The command line as such: help, versions, wrong use, what is not available yet, and that docs/cli.md is what the
// commands say.

import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { GROUPS, LATER_COMMANDS } from "../src/cli/catalogue.ts";
import { renderDocs } from "../src/cli/docs.ts";
import { run } from "../src/cli/run.ts";
import { formatSize, parseSize } from "../src/cli/sizes.ts";
import { isoTime, printable } from "../src/cli/text.ts";
import { hexz, hexzJson } from "./support/cli.ts";

const NAMES = GROUPS.flatMap(({ commands }) => commands.map(({ name }) => name));

test("hexz alone prints the groups of commands and exits with 2", () => {
  const { code, stdout, stderr } = hexz([]);
  expect([code, stdout]).toEqual([2, ""]);
  for (const { title } of GROUPS) expect(stderr).toContain(`${title}:`);
  for (const name of NAMES) expect(stderr).toMatch(new RegExp(`^ {2}${name}\\b`, "m"));
  for (const name of LATER_COMMANDS) expect(stderr).not.toMatch(new RegExp(`^ {2}${name}\\b`, "m"));
  expect(hexzJson([])).toMatchObject({ code: 2, document: { error: { code: "usage" } } });
});

test("hexz --help prints the groups on standard output", () => {
  const { code, stdout, stderr } = hexz(["--help"]);
  expect([code, stderr]).toEqual([0, ""]);
  expect(stdout).toContain("Looking:");
});

test.each([...NAMES, "show"])("hexz %s --help has synopsis, options with defaults and an example", (name) => {
  const { code, stdout, stderr } = hexz([name, "--help"]);
  expect([code, stderr]).toEqual([0, ""]);
  expect(stdout).toMatch(/^Usage: hexz /);
  expect(stdout).toContain("--json");
  // These read and write too little for progress.
  if (!["keygen", "sign", "keys"].includes(name)) expect(stdout).toMatch(/default:\s+"auto"/);
  expect(stdout).toMatch(/\nExample:\n {2}hexz /);
  expect(stdout).not.toMatch(/--train-dict|--remote-parents/);
  expect(hexz(["help", name]).stdout).toBe(stdout);
});

test("hexz --version tells the version of the package and the engine", () => {
  const { version } = JSON.parse(readFileSync(new URL("../package.json", import.meta.url), "utf8"));
  expect(hexz(["--version"])).toMatchObject({ code: 0, stderr: "" });
  expect(hexz(["--version"]).stdout).toContain(`hexz ${version}\n`);
  const { code, document } = hexzJson(["--version"]);
  expect(code).toBe(0);
  expect(document).toMatchObject({ version, engine: { name: expect.stringMatching(/^(native|wasm)$/) } });
  expect(document.engine.description).not.toBe("");
});

test("unknown commands and options exit with 2 and say what was meant", () => {
  expect(hexz(["pakc"])).toMatchObject({ code: 2, stdout: "" });
  expect(hexz(["pakc"]).stderr).toBe('hexz: error: unknown command "pakc"\nhexz: hint: did you mean pack?\n');
  expect(hexz(["frobnicate"]).stderr).toContain("hexz --help lists the commands");
  const option = hexz(["inspect", "--entrie", "x"]);
  expect(option.code).toBe(2);
  expect(option.stderr).toBe("hexz: error: unknown option '--entrie'\nhexz: hint: did you mean --entries?\n");
  const { code, document } = hexzJson(["pack", "a", "b", "--forc"]);
  expect(code).toBe(2);
  expect(document.error).toMatchObject({ code: "usage", hint: "did you mean --force?" });
});

test("wrong values and missing arguments exit with 2", () => {
  for (const args of [
    ["inspect"],
    ["cat"],
    ["inspect", "a", "b"],
    ["pack", "a", "b", "--compression", "gzip"],
    ["pack", "a", "b", "--level", "x"],
    ["pack", "a", "b", "--block-size", "big"],
    ["pack", "a", "b", "--workers", "0"],
    ["cat", "a", "b", "--range", "x"],
    ["check", "a", "--sample", "101%"],
    ["convert", "a", "b"],
    ["convert", "zip", "a", "b"],
    ["convert", "--to", "zip", "a", "b"],
    ["convert", "--to", "raw", "a"],
  ]) {
    const { code, stdout, stderr } = hexz(args);
    expect([args, code, stdout]).toEqual([args, 2, ""]);
    expect(stderr).toMatch(/^hexz: error: .*\n(hexz: hint: .*\n)?$/);
  }
});

test("options of every command may stand before its name", () => {
  expect(hexz(["--json", "--progress", "none", "-s", "inspect", "missing"]).code).toBe(3);
});

/** What a call throws, within this process. */
async function thrownBy(args: readonly string[]): Promise<unknown> {
  return run({ args, json: false, dataOnStdout: false }).catch((error: unknown) => error);
}

test("commands of later versions answer not_available", async () => {
  for (const name of LATER_COMMANDS) {
    expect([name, await thrownBy([name, "x", "--whatever"])]).toMatchObject([name, { code: "not_available" }]);
  }
  expect(hexzJson(["mount", "x", "--whatever"])).toMatchObject({
    code: 2,
    document: { error: { code: "not_available" } },
  });
});

test("options of later versions answer not_available, and are not accepted", async () => {
  const reading = ["extract", "cat", "inspect", "check", "diff", "analyze"];
  const commands = [
    ...reading.map((name) => [name, "a", "--remote-parents"]),
    ["convert", "safetensors", "a", "b"],
    ["inspect", "https://example.org/a.hxz"],
    ["cat", "s3://bucket/a.hxz"],
    ["pack", "a", "s3://bucket/a.hxz"],
    ["pack", "HTTP://example.org/a", "b"],
  ];
  for (const args of commands) {
    expect([args, await thrownBy(args)]).toMatchObject([args, { code: "not_available" }]);
  }
});

test("a missing archive is exit code 3, also as a document", () => {
  const missing = "/nowhere/missing.hxz";
  const otherArguments: Record<string, string[]> = {
    build: ["/nowhere/output.hxz"],
    flatten: ["/nowhere/output.hxz"],
    rebase: [missing, "/nowhere/output.hxz"],
    convert: ["/nowhere/output", "--to", "raw"],
    commit: ["/nowhere/vm.overlay", "/nowhere/output.hxz"],
    diff: [missing],
    sign: [missing],
    repair: ["/nowhere/output.hxz"],
  };
  for (const name of NAMES.filter((known) => !["pack", "cat", "keygen", "keys"].includes(known))) {
    const { code, document } = hexzJson([name, missing, ...(otherArguments[name] ?? [])]);
    expect([name, code, document.error.code]).toEqual([name, 3, "not_found"]);
    expect(Object.keys(document)).toEqual(["error"]);
    expect(document.error.message).toContain(missing);
  }
});

test("docs/cli.md is what the commands say: run scripts/write-cli-docs.mjs when this fails", async () => {
  expect(readFileSync(new URL("../docs/cli.md", import.meta.url), "utf8")).toBe(await renderDocs());
});

test("parseSize() takes binary units in any case, and nothing else", () => {
  const sizes: [string, number][] = [
    ["0", 0],
    ["4096", 4096],
    ["64K", 65536],
    ["64k", 65536],
    ["64KiB", 65536],
    ["64kb", 65536],
    ["1.5G", 1.5 * 1024 ** 3],
    ["2 MiB", 2 * 1024 ** 2],
    ["10B", 10],
  ];
  for (const [text, bytes] of sizes) expect(parseSize(text)).toBe(bytes);
  for (const text of ["", "-1", "K", "1X", "1.5.5", "0x10", "1e3", "99999999P", "64KiBs"]) {
    expect(() => parseSize(text)).toThrow(/is not a size/);
  }
});

test("formatSize() is binary with two decimals", () => {
  const shown = [0, 1023, 1024, 1536, 1024 ** 2 - 1, 1024 ** 2, 5 * 1024 ** 4].map(formatSize);
  expect(shown).toEqual(["0 B", "1023 B", "1.00 KiB", "1.50 KiB", "1.00 MiB", "1.00 MiB", "5.00 TiB"]);
});

test("printable() escapes what would act on a terminal, byte by byte", () => {
  expect(printable("a\u001b[31mb\n\u009b\u202ec\u007f é")).toBe("a\\x1b[31mb\\x0a\\xc2\\x9b\\xe2\\x80\\xaec\\x7f é");
});

test("isoTime() keeps nanoseconds, also before 1970", () => {
  expect(isoTime({ seconds: 0, nanoseconds: 1 })).toBe("1970-01-01T00:00:00.000000001Z");
  expect(isoTime({ seconds: -1, nanoseconds: 999_999_999 })).toBe("1969-12-31T23:59:59.999999999Z");
  expect(isoTime({ seconds: 2 ** 50, nanoseconds: 0 })).toBe(null);
});
