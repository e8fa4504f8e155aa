// Encryption on the command line: who gets in, who does not, and with which exit codes.

import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { CLI, hexz, hexzJson } from "./support/cli.ts";
import { randomBytes, randomFrom } from "./support/random.ts";
import { decodeReference } from "./support/reference.ts";
import { referenceSlots } from "./support/reference-envelope.ts";

const cwd = mkdtempSync(join(tmpdir(), "hexz-test-"));
afterAll(() => rmSync(cwd, { recursive: true }));
const CONTENT = randomBytes(200_000, randomFrom(77));
const { HEXZ_PASSWORD: _, ...ENV } = process.env;
const at = (env: Record<string, string> = {}) => ({ cwd, env: { ...ENV, ...env } });
const ID = ["--identity", "id.txt"];
const WITH_PASSWORD = at({ HEXZ_PASSWORD: "secret" });

/** An identity as age-keygen writes it; returns its recipient. */
function keygen(name: string): string {
  const { stderr, status } = spawnSync("age-keygen", ["-o", name], { cwd, encoding: "utf8" });
  expect(status).toBe(0);
  return /age1\w+/.exec(stderr)![0];
}

let recipient = "";

beforeAll(() => {
  mkdirSync(join(cwd, "tree"));
  writeFileSync(join(cwd, "tree", "secret-name.bin"), CONTENT);
  writeFileSync(join(cwd, "disk.img"), CONTENT);
  writeFileSync(join(cwd, "password"), "secret\nnot this\n");
  writeFileSync(join(cwd, "wrong"), "Secret\n");
  recipient = keygen("id.txt");
  keygen("other.txt");
  const packed = hexz(["pack", "tree", "both.hxz", "--encrypt", "--recipient", recipient], WITH_PASSWORD);
  expect(packed).toMatchObject({ code: 0 });
  expect(hexz(["pack", "tree", "key.hxz", "--recipient", recipient], at())).toMatchObject({ code: 0 });
});

describe("reading", () => {
  test.each([
    ["an identity", ID, at()],
    ["a password file", ["--password-file", "password"], at()],
    ["HEXZ_PASSWORD", [], WITH_PASSWORD],
  ] as const)("opens with %s", (_, options, where) => {
    const got = hexz(["cat", "both.hxz", "secret-name.bin", ...options], where);
    expect([got.code, got.bytes.equals(CONTENT)]).toEqual([0, true]);
  });

  test("every command that reads takes the options", () => {
    const calls = [
      ["check", "key.hxz"],
      ["inspect", "key.hxz", "--entries"],
      ["extract", "key.hxz", "out"],
      ["diff", "key.hxz", "key.hxz"],
      ["convert", "--to", "raw", "key.hxz", "raw.bin"],
    ];
    for (const args of calls) expect([args, hexz([...args, ...ID], at()).code]).toEqual([args, 0]);
    expect(readFileSync(join(cwd, "out", "secret-name.bin")).equals(CONTENT)).toBe(true);
    expect(readFileSync(join(cwd, "raw.bin")).equals(CONTENT)).toBe(true);
    const { document } = hexzJson(["inspect", "both.hxz", ...ID], at());
    expect(document).toMatchObject({
      encrypted: true,
      key_slots: [
        { slot: 0, kind: "passphrase" },
        { slot: 1, kind: "x25519" },
      ],
      compressed_size: readFileSync(join(cwd, "both.hxz")).length,
    });
  });

  test("a wrong password or identity is exit code 1, none 2, damage another code", () => {
    const cases: [string[], Record<string, string>, number, string][] = [
      [["both.hxz", "--password-file", "wrong"], {}, 1, "password_wrong"],
      [["both.hxz"], { HEXZ_PASSWORD: "Secret" }, 1, "password_wrong"],
      [["both.hxz", "--identity", "other.txt"], {}, 1, "password_wrong"],
      [["both.hxz"], {}, 2, "password_missing"],
      [["key.hxz"], { HEXZ_PASSWORD: "secret" }, 2, "password_missing"],
      [["key.hxz", "--identity", "missing.txt"], {}, 3, "not_found"],
      [["key.hxz", "--identity", "disk.img"], {}, 2, "usage"],
      [["cut.hxz", ...ID], {}, 1, "truncated"],
    ];
    const bytes = readFileSync(join(cwd, "key.hxz"));
    writeFileSync(join(cwd, "cut.hxz"), bytes.subarray(0, -65_576));
    for (const [args, env, code, error] of cases) {
      const found = hexzJson(["extract", args[0]!, "nowhere", ...args.slice(1)], at(env));
      expect([args, found.code, found.document.error.code]).toEqual([args, code, error]);
    }
    expect(existsSync(join(cwd, "nowhere"))).toBe(false);
  });

  test("a damaged segment costs the bytes that it holds, and is named", () => {
    mkdirSync(join(cwd, "files"));
    for (const name of "abcdefgh")
      writeFileSync(join(cwd, "files", name), randomBytes(40_000, randomFrom(name.charCodeAt(0))));
    hexz(["pack", "files", "whole.hxz", "--recipient", recipient], at());
    const bytes = readFileSync(join(cwd, "whole.hxz"));
    bytes[36_864 + 2 * 65_576 + 5000]! ^= 1;
    writeFileSync(join(cwd, "damaged.hxz"), bytes);
    const { code, document } = hexzJson(["extract", "damaged.hxz", "partly", ...ID], at());
    expect(code).toBe(1);
    for (const { message } of document.warnings) expect(message).toContain("segment 2 of damaged.hxz is damaged");
    const lost = document.warnings.map(({ path }: { path: string }) => path);
    expect(readdirSync(join(cwd, "partly"))).toEqual([..."abcdefgh"].filter((name) => !lost.includes(name)));
    expect(lost.length).toBeGreaterThan(0);
    expect(lost.length).toBeLessThan(5);
    const check = hexzJson(["check", "damaged.hxz", ...ID], at());
    expect(check.document.problems.map(({ path }: { path: string }) => path)).toEqual(lost);
  });

  test("inspect without a key tells the key slots and nothing else", () => {
    const { code, document } = hexzJson(["inspect", "both.hxz"], at());
    const slots = [
      { slot: 0, kind: "passphrase" },
      { slot: 1, kind: "x25519" },
    ];
    expect([code, document]).toEqual([0, { path: "both.hxz", version: 2, encrypted: true, key_slots: slots }]);
    expect(hexz(["inspect", "both.hxz"], at()).stdout).toContain("yes, key slots: 0 passphrase, 1 x25519");
  });

  test("the age program opens a slot, and what it finds opens the archive for the reference decoder", () => {
    const file = new Uint8Array(readFileSync(join(cwd, "both.hxz")));
    const [slots] = referenceSlots(file).areas;
    const { stdout, status } = spawnSync("age", ["-d", "-i", "id.txt"], { cwd, input: slots![1] });
    expect([status, stdout.length]).toEqual([0, 32]);
    const archive = decodeReference(file, { key: new Uint8Array(stdout) });
    expect(Buffer.from(archive.content("secret-name.bin")).equals(CONTENT)).toBe(true);
  });
});

describe("writing", () => {
  test("the sizes that are told are the file's, also of a dry run", () => {
    const size = readFileSync(join(cwd, "key.hxz")).length;
    const args = ["pack", "tree", "size.hxz", "--recipient", recipient];
    expect(hexzJson([...args, "--dry-run"], at()).document.compressed_size).toBe(size);
    expect(hexzJson(args, at()).document.compressed_size).toBe(size);
    const piped = hexz(["pack", "tree", "-", "--recipient", recipient], at());
    expect([piped.code, piped.bytes.length]).toEqual([0, size]);
  });

  test("wrong use is refused and leaves nothing", () => {
    const cases = [
      [["--encrypt"], "password_missing"],
      [["--pad"], "usage"],
      [["--recipient", "age1nonsense"], "usage"],
      [["--recipient", "ssh-ed25519 AAAA"], "usage"],
      [["--encrypt", "--password-file", "empty"], "usage"],
      [["--base", "key.hxz", ...ID], "usage"],
    ] as const;
    writeFileSync(join(cwd, "empty"), "\n");
    const before = readdirSync(cwd).sort();
    for (const [options, error] of cases) {
      const { code, document } = hexzJson(["pack", "tree", "new.hxz", ...options], at());
      expect([options, code, document.error.code]).toEqual([options, 2, error]);
    }
    expect(readdirSync(cwd).sort()).toEqual(before);
  });

  test("a thin child of an encrypted base opens its parent with the same identity", () => {
    const made = hexzJson(["pack", "tree", "thin.hxz", "--base", "key.hxz", ...ID, "--recipient", recipient], at());
    expect(made.document.chunks).toMatchObject({ unique: 0 });
    expect(hexz(["check", "thin.hxz", "--parents", ...ID], at()).code).toBe(0);
    expect(hexz(["cat", "thin.hxz", ...ID], at()).bytes.equals(CONTENT)).toBe(true);
    const plain = hexzJson(["pack", "tree", "auto.hxz", "--base", "auto:.", "--recipient", recipient, ...ID], at());
    expect(plain.document.chosen_bases.length).toBeGreaterThan(0);
  });

  test("flatten and rebase keep the key slots, or make new ones, and never a plain archive", () => {
    expect(hexz(["flatten", "both.hxz", "kept.hxz", ...ID], at()).code).toBe(0);
    expect(hexz(["cat", "kept.hxz"], WITH_PASSWORD).bytes.equals(CONTENT)).toBe(true);
    const other = keygen("new.txt");
    expect(hexz(["flatten", "both.hxz", "renewed.hxz", ...ID, "--recipient", other], at()).code).toBe(0);
    expect(hexz(["cat", "renewed.hxz", ...ID], at()).code).toBe(1);
    expect(hexz(["cat", "renewed.hxz", "--identity", "new.txt"], at()).bytes.equals(CONTENT)).toBe(true);
    expect(hexz(["rebase", "both.hxz", "key.hxz", "rebased.hxz", ...ID], at()).code).toBe(0);
    expect(hexz(["cat", "rebased.hxz", ...ID], at()).bytes.equals(CONTENT)).toBe(true);
  });

  test("an encrypted archive is signed behind its segments", () => {
    expect(hexz(["keygen", "-o", "keys"], at()).code).toBe(0);
    const signed = ["pack", "tree", "signed.hxz", "--recipient", recipient, "--sign", "keys/private.key"];
    expect(hexz(signed, at()).code).toBe(0);
    expect(hexz(["flatten", "signed.hxz", "later.hxz", ...ID], at()).code).toBe(0);
    expect(hexz(["verify", "keys/public.key", "later.hxz", ...ID], at()).code).toBe(1);
    expect(hexz(["sign", "keys/private.key", "later.hxz", ...ID], at()).code).toBe(0);
    for (const name of ["signed.hxz", "later.hxz"]) {
      expect([name, hexz(["verify", "keys/public.key", name, ...ID], at()).code]).toEqual([name, 0]);
      expect([name, hexz(["check", name, ...ID], at()).code]).toEqual([name, 0]);
      const file = new Uint8Array(readFileSync(join(cwd, name)));
      const { stdout } = spawnSync("age", ["-d", "-i", "id.txt"], { cwd, input: referenceSlots(file).areas[0]![0] });
      expect(decodeReference(file, { key: new Uint8Array(stdout) }).state).toBe(1);
    }
  });
});

describe("on a terminal", () => {
  const HEXZ = [process.execPath, CLI];

  /** Runs a program on a terminal of its own; answers each prompt. */
  function onTerminal(command: readonly string[], answers: readonly string[]): { code: number; output: string } {
    const script = `
import os, pty, sys
pid, fd = pty.fork()
if pid == 0: os.execvp(sys.argv[1], sys.argv[1:-1])
answers, seen = [a for a in sys.argv[-1].split("|") if a], b""
while True:
    try: piece = os.read(fd, 4096)
    except OSError: break
    if not piece: break
    seen += piece
    if answers and piece.rstrip(b" ").endswith(b":"): os.write(fd, answers.pop(0).encode() + b"\\r")
sys.stdout.buffer.write(seen)
sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
`;
    const call = ["-c", script, ...command, answers.join("|")];
    const { status, stdout } = spawnSync("python3", call, { ...at(), encoding: "utf8" });
    return { code: status!, output: stdout };
  }

  test("a password is asked for, twice when it is new, and not shown", () => {
    const typed = onTerminal([...HEXZ, "pack", "tree", "typed.hxz", "--encrypt"], ["tYped", "tYped"]);
    expect(typed).toMatchObject({ code: 0 });
    expect(typed.output).toMatch(/New password: \s+The same again: /);
    expect(typed.output).not.toContain("tYped");
    expect(hexz(["check", "typed.hxz"], at({ HEXZ_PASSWORD: "tYped" })).code).toBe(0);
    const unlike = onTerminal([...HEXZ, "pack", "tree", "unlike.hxz", "--encrypt"], ["one", "two"]);
    expect([unlike.code, existsSync(join(cwd, "unlike.hxz"))]).toEqual([2, false]);
    expect(onTerminal([...HEXZ, "check", "typed.hxz"], ["tYpe\u007fed"])).toMatchObject({ code: 0 });
    expect(onTerminal([...HEXZ, "check", "typed.hxz"], ["typed"])).toMatchObject({ code: 1 });
    expect(onTerminal([...HEXZ, "check", "typed.hxz"], ["\u0003"])).toMatchObject({ code: 130 });
    expect(onTerminal([...HEXZ, "inspect", "typed.hxz"], [])).toMatchObject({ code: 0 });
  });

  test("the age program opens the slot of a password", () => {
    const [slots] = referenceSlots(new Uint8Array(readFileSync(join(cwd, "both.hxz")))).areas;
    writeFileSync(join(cwd, "slot.age"), slots![0]!);
    const opened = onTerminal(["age", "-d", "-o", "slot.key", "slot.age"], ["secret"]);
    expect([opened.code, readFileSync(join(cwd, "slot.key")).length]).toEqual([0, 32]);
  });
});
