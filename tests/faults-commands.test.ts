// The end of the program, and an error, at writes, syncs and renames of the commands that write: what was there before is
// there still, or all of what is new; after an error, which is told, no temporary is left. Where a command makes many calls
// of a kind, some are drawn: HEXZ_FAULTS=all tries each.

import { cpSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { generateX25519Identity, identityToRecipient } from "age-encryption";
import { expect, test } from "vitest";
import { hexz } from "./support/cli.ts";
import { makeOverlay } from "./support/overlays.ts";
import { randomBytes, randomFrom, SEED } from "./support/random.ts";
import { callsOf, ERRORS, isWhole, withFault } from "./support/system-faults.ts";
import { run, temporaryDirectory } from "./support/trees.ts";

process.stdout.write(`faults-commands.test.ts: HEXZ_SEED=${SEED}\n`);
/** Calls of one kind that are tried of one command. */
const DRAWN = process.env.HEXZ_FAULTS === "all" ? Number.POSITIVE_INFINITY : 2;
const random = randomFrom(SEED);
const [first, second] = [await generateX25519Identity(), await generateX25519Identity()];
const SECRETS = { secrets: { identities: [first, second] } };

interface Command {
  readonly name: string;
  readonly args: readonly string[];
  readonly calls: readonly string[];
  /** What it changes: a file or a directory. */
  readonly output: string;
  /** Makes what it works on, in an empty directory. */
  prepare(directory: string): Promise<void> | void;
  /** Fails the test when the output is neither what it was nor what it is to be. */
  check(output: string, old: string, at: string): Promise<void> | void;
}

const NAMES = ["a", "b", "c"];

function tree(directory: string): void {
  mkdirSync(join(directory, "input/d"), { recursive: true });
  for (const name of NAMES) writeFileSync(join(directory, "input", name), randomBytes(100_000, random));
  writeFileSync(join(directory, "input/d/e"), "in a directory");
}

function packed(directory: string, args: readonly string[]): void {
  const { code, stderr } = hexz(["pack", ...args], { cwd: directory });
  expect([code, stderr]).toEqual([0, ""]);
}

/** A new archive over an old one. */
const WRITING = {
  calls: ["pwrite64", "fsync", "rename"],
  output: "out.hxz",
  async check(output: string, old: string, at: string) {
    if (!readFileSync(output).equals(readFileSync(old))) expect(await isWhole(output), at).toBe(true);
  },
};

/** Key slots of one archive, which opens with the old or the new ones. */
const KEYS = {
  calls: ["pwrite64", "fsync"],
  output: "out.hxz",
  async prepare(directory: string) {
    tree(directory);
    writeFileSync(join(directory, "identity"), first);
    const recipients = [await identityToRecipient(first), await identityToRecipient(second)];
    packed(directory, ["input", "out.hxz", ...recipients.flatMap((recipient) => ["--recipient", recipient])]);
  },
  async check(output: string, _old: string, at: string) {
    expect(await isWhole(output, SECRETS, true), at).toBe(true);
  },
};

/** Files in a directory: each is the old one or the new one, or missing where it was. */
const EXTRACTING = {
  output: "to",
  check(output: string, old: string, at: string) {
    const names = readdirSync(output, { recursive: true, withFileTypes: true });
    for (const entry of names.filter((found) => found.isFile() && !found.name.startsWith(".hexz-"))) {
      const name = join(entry.parentPath, entry.name).slice(output.length + 1);
      const allowed = [join(output, "../input", name), join(old, name)].flatMap((path) => contentOf(path));
      const found = readFileSync(join(output, name));
      expect(
        allowed.some((content) => content.equals(found)),
        `${at}: ${name}`,
      ).toBe(true);
    }
  },
};

function contentOf(path: string): Buffer[] {
  try {
    return [readFileSync(path)];
  } catch {
    return [];
  }
}

const COMMANDS: Command[] = [
  {
    ...WRITING,
    name: "convert tar",
    args: ["convert", "tar", "in.tar", "out.hxz", "--force"],
    prepare(directory) {
      tree(directory);
      run("tar", ["cf", "in.tar", "input"], directory);
      packed(directory, ["input/a", "out.hxz"]);
    },
  },
  {
    ...WRITING,
    name: "repair",
    args: ["repair", "in.hxz", "out.hxz", "--force"],
    prepare(directory) {
      tree(directory);
      packed(directory, ["input", "in.hxz"]);
      packed(directory, ["input/a", "out.hxz"]);
    },
  },
  {
    ...WRITING,
    name: "flatten",
    args: ["flatten", "thin.hxz", "out.hxz", "--force"],
    prepare(directory) {
      tree(directory);
      packed(directory, ["input/a", "base.hxz"]);
      packed(directory, ["input", "thin.hxz", "--base", "base.hxz"]);
      packed(directory, ["input/b", "out.hxz"]);
    },
  },
  {
    ...WRITING,
    name: "commit",
    args: ["commit", "base.hxz", "vm.overlay", "out.hxz", "--force"],
    prepare(directory) {
      const disk = randomBytes(300_000, random);
      writeFileSync(join(directory, "disk"), disk);
      packed(directory, ["base.hxz", "--disk", "disk"]);
      packed(directory, ["disk", "out.hxz"]);
      makeOverlay(directory, disk, [{ at: 100_000, bytes: randomBytes(50_000, random) }]);
    },
  },
  {
    ...KEYS,
    name: "keys rotate",
    args: ["keys", "rotate", "out.hxz", "--identity", "identity", "--recipient", await identityToRecipient(second)],
  },
  {
    ...KEYS,
    name: "keys add",
    args: ["keys", "add", "out.hxz", "--identity", "identity", "--recipient", await identityToRecipient(second)],
  },
  { ...KEYS, name: "keys remove", args: ["keys", "remove", "out.hxz", "0", "--identity", "identity"] },
  {
    ...EXTRACTING,
    name: "extract",
    args: ["extract", "in.hxz", "to"],
    calls: ["pwrite64", "renameat2", "mkdir"],
    prepare(directory) {
      tree(directory);
      packed(directory, ["input", "in.hxz"]);
      mkdirSync(join(directory, "to"));
    },
  },
  {
    ...EXTRACTING,
    name: "extract --force",
    args: ["extract", "in.hxz", "to", "--force"],
    calls: ["pwrite64", "rename"],
    prepare(directory) {
      tree(directory);
      packed(directory, ["input", "in.hxz"]);
      mkdirSync(join(directory, "to"));
      for (const name of NAMES) writeFileSync(join(directory, "to", name), `old ${name}`);
    },
  },
];

/** Numbers of calls to try: all of a few, else some. */
function drawn(count: number): number[] {
  const numbers = Array.from({ length: count }, (_, at) => at + 1);
  while (numbers.length > DRAWN) numbers.splice(random(numbers.length), 1);
  return numbers;
}

/** All names, without what only a program leaves that was ended. */
const namesIn = (directory: string) => (readdirSync(directory, { recursive: true }) as string[]).sort();
const isTemporary = (name: string) => /(^|\/)\.[^/]*hexz-/.test(name);

test.each(COMMANDS)("$name: kill -9 and errors at its calls", async (command) => {
  const directory = temporaryDirectory();
  await command.prepare(directory);
  const output = join(directory, command.output);
  const old = join(temporaryDirectory(), "old");
  cpSync(output, old, { recursive: true });
  const restored = () => {
    run("rm", ["-rf", output], directory);
    cpSync(old, output, { recursive: true });
  };
  const args = command.args.map((arg, at) => (at > 0 && namesIn(directory).includes(arg) ? join(directory, arg) : arg));
  const names = namesIn(directory);
  const counts = callsOf(temporaryDirectory(), args, command.calls);
  for (const call of command.calls) {
    expect(counts.get(call), call).toBeGreaterThan(0);
    const { fault, code } = ERRORS[call]!;
    for (const number of drawn(counts.get(call)!)) {
      const at = `${call} ${number}`;
      restored();
      const killed = withFault(old.slice(0, -4), args, call, number, "signal=SIGKILL");
      expect(killed, `kill -9 at ${at}`).toBeDefined();
      await command.check(output, old, `kill -9 at ${at}`);
      for (const name of namesIn(directory).filter(isTemporary)) run("rm", ["-rf", name], directory);
    }
    for (const number of drawn(counts.get(call)!)) {
      const at = `an error of ${call} ${number}`;
      restored();
      const ran = withFault(old.slice(0, -4), [...args, "--json"], call, number, fault);
      expect(ran?.code, at).toBe(3);
      expect(JSON.parse(ran!.stdout).error.code, at).toBe(code);
      await command.check(output, old, at);
      expect(namesIn(directory).filter(isTemporary), at).toEqual([]);
      if (command.output !== "to") expect(namesIn(directory), at).toEqual(names);
    }
  }
});
