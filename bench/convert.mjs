// Converting a tar: against packing it as a file, and, with many small files, against packing their directory.
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import * as ours from "./ours.mjs";
import { runCommand } from "./run.mjs";

const SMALL_FILES = 100_000;
/** Directories of the small files. */
const FOLDERS = 500;

/** Numbers that follow from each other, so that the files are always the same. */
function randomNumbers(seed) {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

/** 100 000 files of words, 20 to 500 of them each, and their tar. */
export async function makeSmall(path, { tar }) {
  const random = randomNumbers(1);
  const letters = () => String.fromCharCode(97 + random(26));
  const words = Array.from({ length: 5000 }, () => Array.from({ length: 2 + random(9) }, letters).join(""));
  for (let number = 0; number < SMALL_FILES; number++) {
    const folder = join(path, "files", String(number % FOLDERS).padStart(3, "0"));
    if (number < FOLDERS) mkdirSync(folder, { recursive: true });
    const text = Array.from({ length: 20 + random(481) }, () => words[random(words.length)]).join(" ");
    writeFileSync(join(folder, `file-${String(number).padStart(6, "0")}.txt`), text);
  }
  await runCommand([tar, "-C", path, "-cf", join(path, "small.tar"), "files"]);
  return `${SMALL_FILES} files of words and their tar`;
}

/** Packing is the peer, converting is ours. */
function contenders({ engines, withOurs, out }, packed, tar) {
  if (!withOurs) return [];
  const [engine] = engines;
  const common = { output: join(out, "out-ours.hxz"), engine, settings: ours.SETTINGS.cdc64wide };
  const convert = ours.convertCommand({ format: "tar", input: tar, ...common });
  const pack = ours.packCommand({ inputs: [packed], ...common });
  return [
    { id: `pack:${engine}`, label: `pack, ${engine}`, argv: pack, output: common.output, packs: true },
    {
      id: `ours:${engine}`,
      label: `**ours** convert tar, ${engine}`,
      argv: convert,
      output: common.output,
      packs: true,
    },
  ];
}

export function convertTar({ path, context }) {
  return {
    title: "convert tar, lz4 + CDC 16/64/256K, against pack of the same tar",
    contenders: contenders(context, path, path),
    comparisons: [{ metric: "speed", peer: `pack:${context.engines[0]}`, atLeast: 0.9, aim: 1.0 }],
  };
}

export function convertSmall({ path, context }) {
  return {
    title: "convert a tar of 100 000 small files, against pack of their directory",
    contenders: contenders(context, join(path, "files"), join(path, "small.tar")),
    comparisons: [
      { metric: "speed", peer: `pack:${context.engines[0]}`, atLeast: 0.9, aim: 1.0 },
      { metric: "size", peer: `pack:${context.engines[0]}`, atLeast: 1.03, aim: 1.0 },
    ],
  };
}
