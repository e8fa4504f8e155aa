// Builds src/kernels to WebAssembly and writes it into TypeScript, for neither Node nor a browser then has to find a
// file at run time. Two modules of the same code: one importing a plain memory (everywhere), one a shared memory
// (Node's threads). Also wraps the WebAssembly of @bokuweb/zstd-wasm in the same way. Does nothing when up to date.

import { mkdirSync, readdirSync, readFileSync, renameSync, statSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { blake3Lanes, gearTable } from "./kernel-sources.mjs";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");
const kernels = join(root, "src/kernels");
const require = createRequire(import.meta.url);
const zstdFolder = dirname(require.resolve("@bokuweb/zstd-wasm"));

const OUT = {
  gear: join(kernels, "gear.generated.ts"),
  lanes: join(kernels, "blake3-lanes.generated.ts"),
  plain: join(root, "src/core/kernels.generated.ts"),
  shared: join(root, "src/node/kernels-shared.generated.ts"),
  zstd: join(root, "src/core/zstd.generated.ts"),
};

const written = (path) => {
  try {
    return statSync(path).mtimeMs;
  } catch {
    return 0;
  }
};

/** Written beside and renamed: another process may be building or reading at the same time. */
function write(path, text) {
  mkdirSync(dirname(path), { recursive: true });
  const temporary = `${path}.${process.pid}`;
  writeFileSync(temporary, text);
  renameSync(temporary, path);
}

function upToDate(outputs, inputs) {
  const oldest = Math.min(...outputs.map(written));
  return oldest > 0 && oldest >= Math.max(...inputs.map(written));
}

const HEADER = "// Written by scripts/build-kernels.mjs.\n\n";

async function compileKernels() {
  const { default: asc } = await import("assemblyscript/asc");
  for (const shared of [false, true]) {
    const outFile = `kernels-${process.pid}.wasm`;
    let binary;
    const { error, stderr } = await asc.main(
      [
        "index.ts",
        "--outFile",
        outFile,
        "--importMemory",
        ...(shared ? ["--sharedMemory", "--maximumMemory", "65536"] : []),
        "--enable",
        "simd,bulk-memory",
        ...(shared ? ["--enable", "threads"] : []),
        "-O3",
        "--converge",
        "--runtime",
        "stub",
        "--noAssert",
      ],
      {
        readFile: (name, base) => {
          try {
            return readFileSync(resolve(kernels, base, name), "utf8");
          } catch {
            return null;
          }
        },
        writeFile: (_, data) => {
          binary = data;
        },
        listFiles: (folder, base) => readdirSync(resolve(kernels, base, folder)).filter((name) => name.endsWith(".ts")),
      },
    );
    if (error || !binary) throw new Error(`asc: ${error?.message ?? "no output"}\n${stderr.toString()}`);
    const name = shared ? "SHARED_KERNELS_BASE64" : "KERNELS_BASE64";
    const text = Buffer.from(binary).toString("base64");
    write(shared ? OUT.shared : OUT.plain, `${HEADER}export const ${name} =\n  "${text}";\n`);
    console.log(`kernels${shared ? " (shared)" : ""}: ${binary.length} bytes`);
  }
}

/**
 * The exports of zstd.wasm have one-letter names; the JavaScript around it says which is which. That wrapper keeps one
 * global instance, finds its file in other ways in each environment and writes to the console: only the table is used.
 */
function zstdModule() {
  const glue = readFileSync(join(zstdFolder, "zstd.js"), "utf8");
  const wasm = readFileSync(join(zstdFolder, "zstd.wasm"));
  const names = {};
  for (const [, name, letter] of glue.matchAll(/Module\['_(\w+)'\] = wasmExports\['(\w+)'\]/g)) names[name] = letter;
  const find = (pattern) => pattern.exec(glue)?.[1];
  const found = {
    compressBound: names.ZSTD_compressBound,
    createCCtx: names.ZSTD_createCCtx,
    createDCtx: names.ZSTD_createDCtx,
    compress: names.ZSTD_compress_usingDict,
    decompress: names.ZSTD_decompress_usingDict,
    isError: names.ZSTD_isError,
    malloc: names.malloc,
    free: names.free,
    memory: find(/wasmMemory = wasmExports\['(\w+)'\]/),
    start: find(/addOnInit\(wasmExports\['(\w+)'\]\)/),
  };
  const resize = find(/(\w+): _emscripten_resize_heap/);
  for (const [name, letter] of [...Object.entries(found), ["resize", resize]]) {
    if (!letter) throw new Error(`zstd-wasm: the name of ${name} was not found`);
  }
  return `export const ZSTD_NAMES = ${JSON.stringify(found)} as const;
export const ZSTD_RESIZE = ${JSON.stringify(resize)};
export const ZSTD_BASE64 =\n  "${wasm.toString("base64")}";\n`;
}

const script = fileURLToPath(import.meta.url);
const generator = join(dirname(script), "kernel-sources.mjs");
if (!upToDate([OUT.gear, OUT.lanes], [script, generator])) {
  write(OUT.gear, HEADER + gearTable());
  write(OUT.lanes, HEADER + blake3Lanes());
}
const sources = readdirSync(kernels).filter((name) => name.endsWith(".ts"));
if (!upToDate([OUT.plain, OUT.shared], [script, ...sources.map((name) => join(kernels, name))])) await compileKernels();
if (!upToDate([OUT.zstd], [script, join(zstdFolder, "zstd.wasm"), join(root, "package-lock.json")])) {
  write(OUT.zstd, HEADER + zstdModule());
}
