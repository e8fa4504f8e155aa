// The measures: which contenders meet on which input, and what is compared, with the least that is asked and the aim.
import { lstatSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { analyze } from "./analysis.mjs";
import { peerContenders } from "./contenders.mjs";
import { convertSmall, convertTar } from "./convert.mjs";
import { diffVersions } from "./diff.mjs";
import { openEncrypted, packEncrypted } from "./encryption.mjs";
import { childImage, commitImage } from "./images.mjs";
import * as ours from "./ours.mjs";

const READ_LENGTH = 4096;
/** Wider than the largest chunk, so that no two reads meet in one and every read finds its chunk cold. */
const READ_SLOT = 192 * 1024;
/** Reads before the clock counts: both sides have compiled their loops and opened their index by then. */
const READ_WARMUP = 800;

const { cdc64, cdc64wide, cdc8, cdc8small, fixed64 } = ours.SETTINGS;
/** Speed and latency are ratios in which more is better; size is a ratio and `extra` are milliseconds: less is better. */
const speed = (peer, atLeast, aim, rest) => ({ metric: "speed", peer, atLeast, aim, ...rest });
const size = (peer, rest) => ({ metric: "size", peer, atLeast: 1.01, aim: 1.0, ...rest });

/** `input` and `also` are the inputs of data.mjs that a measure needs; several measures share one builder. */
export const CASES = [
  { id: "pack-lz4-tar", input: "tar", build: packLz4 },
  { id: "pack-lz4-image", input: "image", build: packLz4 },
  { id: "pack-lz4-random", input: "random", build: packLz4 },
  { id: "pack-zstd-tar", input: "tar", build: packZstd },
  { id: "pack-zstd-image", input: "image", build: packZstd },
  { id: "pack-tree", input: "tree", build: packTree },
  { id: "pack-borg-tar", input: "tar", build: packBorg },
  { id: "pack-borg-image", input: "image", build: packBorg },
  { id: "pack-fixed-tar", input: "tar", build: packFixed },
  { id: "pack-fixed-image", input: "image", build: packFixed },
  { id: "pack-fixed-tree", input: "tree", build: packFixed },
  { id: "repack-tar", input: "tar", build: repack },
  { id: "repack-image", input: "image", build: repack },
  { id: "child-tree", input: "versions", build: child },
  { id: "diff-tree", input: "versions", build: diffVersions },
  { id: "child-image", input: "update", also: ["image"], build: childImage },
  { id: "commit-image", input: "update", also: ["image"], build: commitImage },
  { id: "extract-lz4", input: "tar", build: extractLz4 },
  { id: "extract-tree", input: "tree", build: extractTree },
  { id: "random-fixed", input: "tar", build: randomRead },
  { id: "random-cdc", input: "tar", build: randomRead },
  { id: "analyze-tar", input: "tar", build: analyze },
  { id: "analyze-image", input: "image", build: analyze },
  { id: "convert-tar", input: "tar", build: convertTar },
  { id: "convert-small", input: "small", build: convertSmall },
  { id: "encrypt-pack", input: "tar", build: packEncrypted },
  { id: "encrypt-open", input: "tar", build: openEncrypted },
  { id: "inspect", input: "tar", also: ["image", "random"], build: inspect },
  // The same for archives of format 1, which is what the original makes and reads.
  { id: "format1-pack-lz4-tar", input: "tar", build: packLz4, format: "1" },
  { id: "format1-pack-lz4-image", input: "image", build: packLz4, format: "1" },
  { id: "format1-pack-zstd-tar", input: "tar", build: packZstd, format: "1" },
  { id: "format1-pack-fixed-tar", input: "tar", build: packFixed, format: "1" },
  { id: "format1-pack-tree", input: "tree", build: packTree, format: "1" },
  { id: "format1-extract-lz4", input: "tar", build: extractLz4, format: "1" },
  { id: "format1-extract-tree", input: "tree", build: extractTree, format: "1" },
  { id: "format1-random-fixed", input: "tar", build: randomRead, format: "1" },
  { id: "format1-random-cdc", input: "tar", build: randomRead, format: "1" },
];

/**
 * @param {{ inputs: object, peers: object, engines: string[], withOurs: boolean, out: string, memoryDirectory: string, dataDirectory: string }} context
 * @returns {{ id: string, title: string, contenders: object[], comparisons: object[], repeat?: number, verify?: Function }}
 */
export function buildCase({ id, input, build, format }, context) {
  const tools = { ...peerContenders(context.peers, context), ...ourContenders(context, format) };
  const built = build({ id, name: input, ...context.inputs[input], tools, context, format });
  return {
    id,
    input: context.inputs[input],
    ...built,
    title: format ? `${built.title}, format ${format}` : built.title,
    contenders: built.contenders.flat(Number.POSITIVE_INFINITY).filter(Boolean),
  };
}

function ourContenders({ engines, withOurs, out }, format) {
  const each = (make) => (withOurs ? engines.map(make) : []);
  const packCommand = (options) => ours.packCommand({ ...options, format });
  const isImage = (input) => input.endsWith(".img");
  return {
    /** `after` is packed first and is the base. */
    pack: (input, options, { suffix = "", only = engines, after } = {}) =>
      each((engine) => {
        if (!only.includes(engine)) return null;
        const output = join(out, "out-ours.hxz");
        const base = join(out, "in-ours.hxz");
        const command = (path, file, more) => {
          const source = isImage(path) ? { disk: path } : { inputs: [path] };
          return packCommand({ ...source, output: file, engine, ...options, ...more });
        };
        return {
          id: `ours${suffix}:${engine}`,
          label: `**ours**${suffix.replace("-", " ")}, ${engine}`,
          ...(after && { setup: { argv: command(after, base), output: base } }),
          argv: command(input, output, after && { base }),
          output,
          packs: true,
        };
      }),
    /** `archive` is packed once, by the first engine. */
    extract: (input, options, destination, rest) => {
      const archive = join(out, "in-ours.hxz");
      const setup = {
        argv: packCommand({ inputs: [input], output: archive, engine: engines[0], ...options }),
        output: archive,
      };
      return each((engine) => {
        const argv = ours.extractCommand(engine, archive, destination);
        return { id: `ours:${engine}`, label: `**ours**, ${engine}`, setup, argv, output: destination, ...rest };
      });
    },
    randomRead: (input, options, read) => {
      const archive = join(out, "in-ours.hxz");
      const setup = {
        argv: packCommand({ disk: input, output: archive, engine: engines[0], ...options }),
        output: archive,
      };
      return each((engine) =>
        [true, false].map((verify) => {
          const suffix = verify ? "" : "-unverified";
          const argv = ours.randomReadCommand({ archive, engine, verify, ...read });
          const label = `**ours**, ${engine}${verify ? ", BLAKE3" : ", verification off"}`;
          return { id: `ours${suffix}:${engine}`, label, setup, argv, reports: true };
        }),
      );
    },
  };
}

function packLz4({ id, name, path, tools }) {
  const vsHexz = { tar: [1.0, 1.2], image: [1.2, 1.6], random: [undefined, undefined] }[name];
  const vsLz4 = { tar: [1.2, 1.6], image: [1.3, 2.0], random: [undefined, undefined] }[name];
  return {
    title: `pack lz4 + CDC 16/64/128K, ${name}`,
    contenders: [
      tools.pack(path, { settings: cdc64 }),
      tools.hexz055Pack(path, { compression: "lz4", cdc: true }),
      tools.lz4Pack(path),
    ],
    comparisons: [
      speed("hexz", ...vsHexz, { net: true }),
      speed("lz4", ...vsLz4),
      ...(id === "pack-lz4-random" ? [] : [size("hexz")]),
    ],
  };
}

function packZstd({ name, path, tools }) {
  return {
    title: `pack zstd-3 + CDC 16/64/128K, ${name}`,
    contenders: [
      tools.pack(path, { settings: cdc64, compression: "zstd", level: 3 }),
      tools.hexz055Pack(path, { compression: "zstd", cdc: true }),
      tools.zstdPack(path),
    ],
    comparisons: [speed("zstd", 0.95, 1.1), speed("hexz", 0.95, 1.1, { net: true }), size("hexz")],
  };
}

function packTree({ path, tools, context, format }) {
  const small = { suffix: "-8K-blocks", only: context.engines.slice(0, 1) };
  return {
    title: "pack a tree of 20 000 files, lz4 + CDC 2/8/64K",
    contenders: [
      tools.pack(path, { settings: cdc8 }),
      // In format 1 a block is a chunk anyway.
      format ? [] : tools.pack(path, { settings: cdc8small }, small),
      tools.hexz082Pack(path),
      tools.tarLz4Pack(path),
    ],
    comparisons: [
      speed("hexz", 2.5, 4, { net: true }),
      ...(format ? [] : [speed("hexz", undefined, undefined, { net: true, suffix: small.suffix })]),
      speed("tar-lz4"),
      size("hexz", format ? {} : { suffix: small.suffix }),
    ],
  };
}

function packBorg({ name, path, tools }) {
  return {
    title: `pack lz4 + CDC 16/64/256K, ${name}`,
    contenders: [tools.pack(path, { settings: cdc64wide }), tools.borg(path)],
    comparisons: [speed("borg", 2, 3), size("borg")],
  };
}

function repack({ name, path, tools }) {
  return {
    title: `pack unchanged data with --base, lz4, ${name}`,
    contenders: [tools.pack(path, { settings: cdc64wide }, { after: path }), tools.readers(path)],
    comparisons: [speed("cat"), speed("b3sum"), { metric: "share", peer: "copy", atLeast: 0.5 }],
  };
}

function child({ path, tools }) {
  const [before, after] = ["before", "after"].map((name) => join(path, name));
  return {
    title: "the second version of a package, zstd 3",
    contenders: [
      tools.pack(after, { settings: cdc64wide, compression: "zstd", level: 3 }, { after: before }),
      tools.borg(after, { after: before, compression: "zstd,3" }),
      tools.zstdPatch(`${before}.tar`, `${after}.tar`),
      tools.xdelta(`${before}.tar`, `${after}.tar`),
    ],
    comparisons: ["borg", "zstd-patch", "xdelta3"].flatMap((peer) => [speed(peer), { metric: "size", peer }]),
  };
}

function packFixed({ name, path, tools }) {
  const hexz = name === "tree" ? [] : tools.hexz055Pack(path, { compression: "lz4", cdc: false });
  const vsHexz = name === "tree" ? [] : [speed("hexz", undefined, undefined, { net: true }), size("hexz")];
  return {
    title: `pack lz4, fixed 64K, ${name}`,
    contenders: [tools.pack(path, { settings: fixed64 }), tools.squashfs(path), hexz],
    comparisons: [size("mksquashfs"), speed("mksquashfs"), ...vsHexz],
  };
}

function extractLz4({ path, tools, context }) {
  return {
    title: "extract lz4, every chunk verified by BLAKE3, tar",
    contenders: [
      tools.extract(path, { settings: cdc64 }, join(context.out, "out-ours.raw")),
      tools.lz4Extract(path),
      tools.hexz055Extract(path),
    ],
    comparisons: [speed("lz4", 1.0, 1.5), speed("hexz", 1.4, 2, { net: true })],
    verify: (output) => sameFile(output, path),
  };
}

function extractTree({ path, tools, context }) {
  const destination = join(context.memoryDirectory, "tree");
  return {
    title: "extract the tree to tmpfs, lz4",
    contenders: [
      tools.extract(path, { settings: cdc64wide }, destination, { sync: false }),
      tools.tarLz4Extract(path, destination),
      tools.hexz082Extract(path, destination),
    ],
    comparisons: [speed("tar-lz4", 0.8, 1.2), speed("hexz", undefined, undefined, { net: true })],
    verify: (output) => sameTree(output, path),
  };
}

function randomRead({ id, path, size: inputSize, tools, context }) {
  const cdc = id.endsWith("random-cdc");
  const read = { offsets: join(context.out, "offsets.u64"), length: READ_LENGTH, warmup: READ_WARMUP };
  return {
    title: `random 4 KiB, file cached, chunk cold, lz4, ${cdc ? "CDC 16/64/128K" : "64K"}`,
    setup: () => writeOffsets(read.offsets, inputSize),
    contenders: [
      tools.randomRead(path, { settings: cdc ? cdc64 : fixed64 }, read),
      tools.hexz055RandomRead(path, { ...read, cdc }),
    ],
    comparisons: [
      { metric: "latency", peer: "hexz", atLeast: 1.0, aim: 1.3 },
      { metric: "latency", peer: "hexz", atLeast: 1.4, aim: 2.0, suffix: "-unverified" },
    ],
  };
}

function inspect({ context }) {
  const archive = join(context.out, "in-ours.hxz");
  const inputs = ["tar", "image", "random"].map((name) => context.inputs[name].path);
  const pack = {
    inputs,
    output: archive,
    engine: context.engines[0],
    settings: ours.SETTINGS.cdc64wide,
    compression: "none",
  };
  const setup = { argv: ours.packCommand(pack), output: archive };
  // One process each: the engine plays no part, and the row is the same for both.
  const own = context.withOurs
    ? [{ id: `ours:${context.engines[0]}`, label: "**ours**, inspect", setup, argv: ours.inspectCommand(archive) }]
    : [];
  return {
    title: "inspect an archive of 1 GB, whole process",
    repeat: 4,
    contenders: [own, { id: "node", label: "node -e 0", argv: [process.execPath, "-e", "0"] }],
    comparisons: [{ metric: "extra", peer: "node", atLeast: 60, aim: 25 }],
  };
}

/** Page-aligned positions, one in each slot, in an order that a fixed seed shuffles. */
function writeOffsets(file, inputSize) {
  let seed = 0x2545f491;
  const next = (limit) => {
    seed ^= seed << 13;
    seed ^= seed >>> 17;
    seed ^= seed << 5;
    return (seed >>> 0) % limit;
  };
  const positions = Array.from(
    { length: Math.floor(inputSize / READ_SLOT) - 1 },
    // Within the slot's first 64 KiB, so that a read in fixed blocks lies in one block.
    (_, slot) => slot * READ_SLOT + next(16) * READ_LENGTH,
  );
  for (let i = positions.length - 1; i > 0; i--) {
    const j = next(i + 1);
    [positions[i], positions[j]] = [positions[j], positions[i]];
  }
  const bytes = Buffer.alloc(positions.length * 8);
  for (const [i, position] of positions.entries()) bytes.writeBigUInt64LE(BigInt(position), i * 8);
  writeFileSync(file, bytes);
}

function sameFile(output, input) {
  if (!readFileSync(output).equals(readFileSync(input))) throw new Error(`${output} is not what was packed`);
}

/** Names and sizes of all files, so that a tool that leaves some out is not called fast. */
function sameTree(output, input, below = "") {
  const names = readdirSync(join(input, below)).sort();
  const found = readdirSync(join(output, below)).sort();
  if (names.join("\n") !== found.join("\n")) throw new Error(`${output}: other names in ${below || "the root"}`);
  for (const name of names) {
    const path = join(below, name);
    const stat = lstatSync(join(input, path));
    if (stat.isDirectory()) sameTree(output, input, path);
    else if (stat.size !== lstatSync(join(output, path)).size) throw new Error(`${output}: ${path} has another size`);
  }
}
