// Builds, runs all tests, and ends with one line that says how many passed. Arguments go to vitest.

import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

process.chdir(join(dirname(fileURLToPath(import.meta.url)), ".."));
const folder = mkdtempSync(join(tmpdir(), "hexz-test-"));
const report = join(folder, "report.json");

function run(...args) {
  return spawnSync(process.execPath, args, { stdio: "inherit" }).status ?? 1;
}

let status = run("scripts/build.mjs");
if (status === 0) {
  const reporters = ["--reporter=default", "--reporter=json", `--outputFile.json=${report}`];
  status = run("node_modules/vitest/vitest.mjs", "run", ...reporters, ...process.argv.slice(2));
  const { numPassedTests, numFailedTests, numPendingTests, numTodoTests } = JSON.parse(readFileSync(report, "utf8"));
  const skipped = numPendingTests + numTodoTests;
  console.log(`${numPassedTests} passed, ${numFailedTests} failed${skipped > 0 ? `, ${skipped} skipped` : ""}`);
}
rmSync(folder, { recursive: true });
process.exitCode = status;
