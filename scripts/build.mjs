// Builds dist: kernels, three bundles (core, node, command line) that share chunks, the threads' program, types.
// `--fast` leaves the types out.

import { spawnSync } from "node:child_process";
import { chmodSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");
process.chdir(root);

function run(...args) {
  const { status } = spawnSync(process.execPath, args, { stdio: "inherit" });
  if (status !== 0) process.exit(1);
}

run("scripts/build-kernels.mjs");
rmSync("dist", { recursive: true, force: true });
const shared = {
  bundle: true,
  format: "esm",
  target: "es2022",
  outdir: "dist",
  legalComments: "none",
  logLevel: "warning",
};
// The core is built for itself, so that not even a chunk of it knows Node.
await build({
  ...shared,
  entryPoints: { index: "src/core/index.ts" },
  platform: "neutral",
  splitting: true,
  chunkNames: "core-[hash]",
});
await build({
  ...shared,
  entryPoints: {
    node: "src/node/index.ts",
    cli: "src/cli/main.ts",
    worker: "src/node/worker.ts",
    "hdf5-thread": "src/node/hdf5/thread.ts",
  },
  platform: "node",
  splitting: true,
  chunkNames: "node-[hash]",
  external: ["koffi", "@napi-rs/blake-hash", "h5wasm"],
  // commander is CommonJS inside a module bundle.
  banner: {
    js: 'import { createRequire as hexzRequire } from "node:module"; const require = hexzRequire(import.meta.url);',
  },
});
chmodSync("dist/cli.js", 0o755);
if (!process.argv.includes("--fast")) {
  for (const project of ["tsconfig.core.json", "tsconfig.node.json"])
    run("node_modules/typescript/bin/tsc", "-p", project);
}
