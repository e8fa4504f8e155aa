// Encrypted archives: against the same archive in plain, against restic, and what opening one with a password takes.
import { rmSync } from "node:fs";
import { join } from "node:path";
import * as ours from "./ours.mjs";
import { runCommand } from "./run.mjs";

/** Of an identity that nobody has. */
const RECIPIENT = "age1zdmu9ppw8t8hc4xn3scpcpctuyfgnhq0t4p5r2y4nq8mmlv7p9vq2l0nhj";
const PASSWORD = "correct horse battery staple";
const SECRET = { HEXZ_PASSWORD: PASSWORD };

/** The settings, and one contender for each of plain, encrypted to a recipient, encrypted with a password. */
function packContenders(path, { engines, withOurs, out }, compression) {
  if (!withOurs) return [];
  const kinds = [
    { suffix: "-plain", more: [] },
    { suffix: "", more: ["--recipient", RECIPIENT] },
    { suffix: "-password", more: ["--encrypt"], env: SECRET },
  ];
  return kinds.flatMap(({ suffix, more, env }) =>
    engines.slice(0, 1).map((engine) => {
      const output = join(out, "out-ours.hxz");
      const pack = { inputs: [path], output, engine, settings: ours.SETTINGS.cdc64wide, ...compression };
      const label = `**ours** ${compression.compression}${suffix.replace("-", ", ")}, ${engine}`;
      const id = suffix === "-plain" ? `plain:${engine}` : `ours${suffix}:${engine}`;
      return { id, label, argv: [...ours.packCommand(pack), ...more], env, output, packs: true };
    }),
  );
}

/** A fresh repository each time, made outside the clock. Restic codes with Zstandard and cannot be told not to encrypt. */
function restic(path, { out, dataDirectory, peers }) {
  const program = peers.paths.restic;
  if (!program) return null;
  const repository = join(out, "restic");
  const cache = join(dataDirectory, "restic-cache");
  const env = { RESTIC_PASSWORD: PASSWORD, RESTIC_REPOSITORY: repository, RESTIC_CACHE_DIR: cache };
  const prepare = async () => {
    rmSync(cache, { recursive: true, force: true });
    await runCommand([program, "init", "-q"], { env });
  };
  return { id: "restic", label: "restic", env, prepare, argv: [program, "backup", "-q", path], output: repository };
}

/** Speeds are ratios to a contender that stands for one engine of ours. */
export function packEncrypted({ path, context }) {
  const [engine] = context.engines;
  return {
    title: "pack encrypted, CDC 16/64/256K, tar",
    contenders: [packContenders(path, context, { compression: "lz4" }), restic(path, context)],
    comparisons: [
      { metric: "speed", peer: `plain:${engine}`, atLeast: 0.75, aim: 0.9 },
      { metric: "speed", peer: "restic", atLeast: 2.3, aim: 3, suffix: "-password" },
      { metric: "size", peer: `plain:${engine}`, atLeast: 1.01, aim: 1.001 },
    ],
  };
}

export function openEncrypted({ path, context }) {
  const archive = join(context.out, "in-ours.hxz");
  const pack = { inputs: [path], output: archive, engine: context.engines[0], settings: ours.SETTINGS.cdc64wide };
  const setup = { argv: ["env", `HEXZ_PASSWORD=${PASSWORD}`, ...ours.packCommand(pack), "--encrypt"], output: archive };
  const argv = ours.inspectCommand(archive);
  const id = `ours:${context.engines[0]}`;
  const own = context.withOurs ? [{ id, label: "**ours**, inspect with a password", setup, argv, env: SECRET }] : [];
  return {
    title: "open an archive with a password, whole process",
    repeat: 4,
    contenders: [own, { id: "node", label: "node -e 0", argv: [process.execPath, "-e", "0"] }],
    comparisons: [{ metric: "extra", peer: "node", atLeast: 500, aim: 350 }],
  };
}
