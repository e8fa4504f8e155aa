#!/usr/bin/env node
import { extractTree, openArchiveFile, pack } from "../node/index.ts";

const [cmd, a, b] = process.argv.slice(2);
const t0 = performance.now();
if (cmd === "pack") {
  const r = await pack({ inputs: [a!], output: b!, force: true });
  console.log(r.size, r.counts, r.coding, r.warnings.length, performance.now() - t0);
} else if (cmd === "extract") {
  const ar = await openArchiveFile(a!);
  const r = await extractTree(ar, b!);
  console.log(r.entries, r.bytes, r.warnings.slice(0, 5), performance.now() - t0);
  await ar.close();
}
