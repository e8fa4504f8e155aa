// The inputs: made once from this machine's /usr and kept in the data directory. The same files in the same order on
// every run; another machine has other files, which is why only ratios within one run are ever compared.
import { createCipheriv, createHash } from "node:crypto";
import {
  chmodSync,
  closeSync,
  constants,
  copyFileSync,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  renameSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { makeSmall } from "./convert.mjs";
import { makeUpdate } from "./images.mjs";
import { runCommand, sizeOf } from "./run.mjs";

const MB = 1_000_000;
/** Raised when the recipe changes, so that old data is made anew. */
const RECIPE = 1;
const TAR_SHARES = [
  { root: "/usr/bin", bytes: 150 * MB },
  { root: "/usr/lib", bytes: 260 * MB },
  { root: "/usr/share", bytes: 140 * MB },
];
/** A few huge libraries would otherwise be most of the tar. */
const LARGEST_TAR_MEMBER = 24 * MB;
const IMAGE_BYTES = 1 << 30;
const RANDOM_BYTES = 256 * MB;
const TREE_FILES = 20_000;
const TREE_BYTES = 525 * MB;
const LARGEST_TREE_FILE = 16 * MB;
const FIXED_TIME = 1_700_000_000;

/** Two releases of a large package. */
const VERSIONS = { before: "next@15.3.0", after: "next@15.3.1" };

const INPUTS = {
  tar: "usr.tar",
  image: "usr.img",
  random: "random.bin",
  tree: "tree",
  versions: "versions",
  update: "update",
  small: "small",
};

/**
 * Makes what is not there yet.
 * @param {string} directory
 * @param {{ needed: Set<string>, paths: Record<string, string>, denseImage: boolean, log: (line: string) => void }} options
 * @returns {Promise<Record<string, { path: string, size: number, note: string }>>} by name: tar, image, random, tree, versions, update, small
 */
export async function makeData(directory, { needed, paths, denseImage, log }) {
  mkdirSync(directory, { recursive: true });
  const stampFile = join(directory, "data.json");
  const stamp = loadStamp(stampFile);
  const makers = {
    tar: (path) => makeTar(path, paths),
    image: (path) => makeImage(path, join(directory, INPUTS.tar), paths),
    random: makeRandom,
    tree: makeTree,
    versions: (path) => makeVersions(path, paths),
    update: (path) => {
      const files = listFiles("/usr/share", 1, LARGEST_TAR_MEMBER);
      return makeUpdate(path, join(directory, INPUTS.image), files, { debugfs: paths.debugfs, fixedTime: FIXED_TIME });
    },
    small: (path) => makeSmall(path, paths),
  };
  if (needed.has("update")) needed.add("image");
  if (needed.has("image")) needed.add("tar");
  for (const name of Object.keys(INPUTS)) {
    if (!needed.has(name)) continue;
    const path = join(directory, INPUTS[name]);
    if (stamp.inputs[name] && existsSync(path)) continue;
    log(`making ${INPUTS[name]}`);
    // Made beside its place, so that an interrupted run leaves nothing that looks whole.
    const unfinished = `${path}.unfinished`;
    rmSync(unfinished, { recursive: true, force: true });
    const note = await makers[name](unfinished);
    rmSync(path, { recursive: true, force: true });
    renameSync(unfinished, path);
    stamp.inputs[name] = { size: sizeOf(path), note };
    writeFileSync(stampFile, `${JSON.stringify(stamp, null, 1)}\n`);
  }

  const inputs = {};
  for (const name of needed) inputs[name] = { path: join(directory, INPUTS[name]), ...stamp.inputs[name] };
  if (denseImage && needed.has("image")) inputs.image = await makeDense(inputs.image);
  return inputs;
}

function loadStamp(file) {
  try {
    const stamp = JSON.parse(readFileSync(file, "utf8"));
    if (stamp.recipe === RECIPE) return stamp;
  } catch {
    // None yet.
  }
  return { recipe: RECIPE, inputs: {} };
}

/** Regular, readable files below a directory. What Python caches while it runs is left out: it comes and goes. */
function listFiles(root, minimum, maximum) {
  const files = [];
  const directories = [root];
  for (let directory = directories.pop(); directory !== undefined; directory = directories.pop()) {
    let entries;
    try {
      entries = readdirSync(directory, { withFileTypes: true });
    } catch {
      continue;
    }
    for (const entry of entries) {
      const path = join(directory, entry.name);
      if (entry.isDirectory() && entry.name !== "__pycache__") directories.push(path);
      else if (entry.isFile() && !path.includes("\n")) {
        const { size, mode } = statSync(path);
        const readable = process.getuid() === 0 || (mode & constants.S_IROTH) !== 0;
        if (readable && size >= minimum && size <= maximum) files.push({ path, size });
      }
    }
  }
  return inStableOrder(files);
}

/** Directories in the order of a digest of their name: a sample of everything, in which neighbours stay neighbours. */
function inStableOrder(files) {
  const rank = new Map();
  for (const { path } of files) {
    const directory = dirname(path);
    if (!rank.has(directory)) rank.set(directory, createHash("sha1").update(directory).digest("hex"));
  }
  const key = ({ path }) => `${rank.get(dirname(path))}/${path}`;
  return files
    .map((file) => ({ key: key(file), file }))
    .sort((a, b) => (a.key < b.key ? -1 : 1))
    .map(({ file }) => file);
}

async function makeTar(path, { tar }) {
  const chosen = [];
  let total = 0;
  let missing = 0;
  for (const { root, bytes } of TAR_SHARES) {
    // What one directory does not have, the next has to give.
    missing += bytes;
    for (const file of listFiles(root, 0, LARGEST_TAR_MEMBER)) {
      if (missing <= 0) break;
      chosen.push(file.path.slice(1));
      missing -= file.size;
      total += file.size;
    }
  }
  const listFile = `${path}.list`;
  writeFileSync(listFile, `${chosen.sort().join("\n")}\n`);
  const same = ["--owner=0", "--group=0", "--numeric-owner", `--mtime=@${FIXED_TIME}`, "--hard-dereference"];
  const which = ["--no-recursion", "--verbatim-files-from", "-T", listFile];
  await runCommand([tar, "--format=gnu", ...same, "-C", "/", "-cf", path, ...which]);
  rmSync(listFile);
  return `${chosen.length} files of /usr, ${Math.round(total / MB)} MB`;
}

async function makeImage(path, tarFile, { tar, mke2fs }) {
  if (!mke2fs) throw new Error("the image needs mke2fs (Debian package e2fsprogs)");
  const staging = `${path}.files`;
  rmSync(staging, { recursive: true, force: true });
  mkdirSync(staging);
  try {
    await runCommand([tar, "-xf", tarFile, "-C", staging]);
    closeSync(openSync(path, "w"));
    const fixed = [
      "-U",
      "68657a7a-0000-4000-8000-000000000000",
      "-E",
      "root_owner=0:0,hash_seed=68657a7a-0000-4000-8000-000000000001",
    ];
    const env = { E2FSPROGS_FAKE_TIME: String(FIXED_TIME) };
    await runCommand(
      [mke2fs, "-q", "-F", "-t", "ext4", "-b", "4096", ...fixed, "-d", staging, path, `${IMAGE_BYTES / 1024}k`],
      { env },
    );
  } finally {
    rmSync(staging, { recursive: true, force: true });
  }
  const holes = 1 - (statSync(path).blocks * 512) / IMAGE_BYTES;
  return `ext4, ${Math.round(emptyShare(path) * 100)} % zero, ${Math.round(holes * 100)} % holes`;
}

/** As directories and as tars of these, from the npm registry. */
async function makeVersions(path, { tar }) {
  mkdirSync(path, { recursive: true });
  for (const [name, release] of Object.entries(VERSIONS)) {
    const packed = (await runCommand(["npm", "pack", release, "--silent"], { cwd: path })).trim();
    const directory = join(path, name);
    mkdirSync(directory);
    await runCommand([tar, "-xzf", join(path, packed), "-C", directory]);
    await runCommand([tar, "--sort=name", "-C", directory, "-cf", `${directory}.tar`, "."]);
    rmSync(join(path, packed));
  }
  return `${VERSIONS.before} and ${VERSIONS.after}`;
}

/** The same image with its holes written out, for a run in which no contender can skip them. */
async function makeDense(image) {
  const path = image.path.replace(/\.img$/, "-dense.img");
  if (!existsSync(path)) {
    await runCommand(["cp", "--sparse=never", image.path, `${path}.unfinished`]);
    renameSync(`${path}.unfinished`, path);
  }
  return { ...image, path, note: image.note.replace(/\d+ % holes/, "no holes") };
}

function emptyShare(path) {
  const buffer = Buffer.alloc(4096 * 256);
  const zeros = Buffer.alloc(4096);
  const fd = openSync(path, "r");
  let blocks = 0;
  let empty = 0;
  for (let length = readSync(fd, buffer); length > 0; length = readSync(fd, buffer)) {
    for (let start = 0; start < length; start += 4096) {
      blocks++;
      if (buffer.compare(zeros, 0, 4096, start, start + 4096) === 0) empty++;
    }
  }
  closeSync(fd);
  return empty / blocks;
}

/** Incompressible bytes that are the same every time: a cipher's key stream. */
function makeRandom(path) {
  const cipher = createCipheriv("aes-128-ctr", Buffer.alloc(16, 7), Buffer.alloc(16));
  const zeros = Buffer.alloc(4 * MB);
  const fd = openSync(path, "w");
  for (let left = RANDOM_BYTES; left > 0; left -= zeros.length) {
    writeSync(fd, cipher.update(zeros.subarray(0, Math.min(left, zeros.length))));
  }
  closeSync(fd);
  return "key stream, does not compress";
}

/** Real files under their own names; one that would pull the average further from the wanted one is passed over. */
function makeTree(path) {
  const average = TREE_BYTES / TREE_FILES;
  let count = 0;
  let total = 0;
  for (const file of listFiles("/usr", 1, LARGEST_TREE_FILE)) {
    if (count === TREE_FILES) break;
    const ahead = total - count * average;
    if (ahead + file.size > average + LARGEST_TREE_FILE) continue;
    if (ahead < 0 && file.size < average / 16) continue;
    const copy = join(path, file.path.slice("/usr".length));
    mkdirSync(dirname(copy), { recursive: true });
    copyFileSync(file.path, copy);
    chmodSync(copy, 0o644);
    utimesSync(copy, FIXED_TIME, FIXED_TIME);
    count++;
    total += file.size;
  }
  if (count < TREE_FILES) throw new Error(`/usr has only ${count} files for the tree of ${TREE_FILES}`);
  return `${count} files of /usr, ${Math.round(total / MB)} MB`;
}
