// `hexz --version`: what runs here, and which engine it has found.

import { readFileSync } from "node:fs";
import { createPortableEngine } from "../core/portable-engine.ts";
import { chooseEngine } from "../node/pool.ts";
import { printDocument, printText } from "./terminal.ts";

/** The version of the package; its manifest stands above `dist`. */
export function packageVersion(): string {
  const place = import.meta.url.endsWith(".ts") ? "../../package.json" : "../package.json";
  return (JSON.parse(readFileSync(new URL(place, import.meta.url), "utf8")) as { version: string }).version;
}

export async function printVersion(json: boolean): Promise<void> {
  const { name, description } = chooseEngine(await createPortableEngine({ memoryBytes: 1 }), "auto");
  const version = packageVersion();
  if (json) {
    const { node } = process.versions;
    await printDocument({ version, formats: [2], engine: { name, description }, node, platform: process.platform });
  } else printText(`hexz ${version}\nengine: ${name} (${description})\nnode: ${process.versions.node}\n`);
}
