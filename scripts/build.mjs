// Builds dist: kernels, three bundles (core, node, command line) that share chunks, the threads' program, types.
// `--fast` leaves the types out.

import { spawnSync } from "node:child_process";
import { chmodSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "rolldown";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");
process.chdir(root);

function run(...args) {
  const { status } = spawnSync(process.execPath, args, { stdio: "inherit" });
  if (status !== 0) process.exit(1);
}

/**
 * @param common modules that so many entry points share are in one file: a command opens few files when it starts, and
 * reads little that it does not need
 */
async function bundle({ input, platform, common }) {
  await build({
    input,
    platform,
    // Optional packages: they are looked for when they are needed.
    external: ["koffi", "@napi-rs/blake-hash", "h5wasm"],
    transform: { target: "es2022" },
    // The command line looks at archives with kernels that are there from its start; others load them when they need them.
    checks: { ineffectiveDynamicImport: false },
    output: {
      dir: "dist",
      format: "esm",
      chunkFileNames: "[name]-[hash].js",
      codeSplitting: common === undefined ? true : { groups: [{ name: "common", minShareCount: common }] },
    },
  });
}

run("scripts/build-kernels.mjs");
rmSync("dist", { recursive: true, force: true });
// The core is built for itself, so that not even a chunk of it knows Node.
await bundle({ input: { index: "src/core/index.ts" }, platform: "neutral" });
await bundle({
  input: {
    node: "src/node/index.ts",
    cli: "src/cli/main.ts",
    worker: "src/node/worker.ts",
    "hdf5-thread": "src/node/hdf5/thread.ts",
  },
  platform: "node",
  common: 8,
});
chmodSync("dist/cli.js", 0o755);
if (!process.argv.includes("--fast")) {
  for (const project of ["tsconfig.core.json", "tsconfig.node.json"])
    run("node_modules/typescript/bin/tsc", "-p", project);
}
