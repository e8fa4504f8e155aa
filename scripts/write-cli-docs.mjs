// Writes docs/cli.md from the commands.

import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { build } from "rolldown";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");
// inside of the package, so that what is left out of the bundle is found
const folder = mkdtempSync(join(root, "node_modules", ".cli-docs-"));
try {
  const outfile = join(folder, "docs.mjs");
  await build({
    input: join(root, "src/cli/docs.ts"),
    platform: "node",
    external: ["koffi", "@napi-rs/blake-hash", "h5wasm"],
    output: { file: outfile, format: "esm", codeSplitting: false },
  });
  const { renderDocs } = await import(pathToFileURL(outfile).href);
  writeFileSync(join(root, "docs/cli.md"), await renderDocs());
} finally {
  rmSync(folder, { recursive: true });
}
