// Fuzzes longer than the tests do: npm run fuzz -- [--count 1000000] [--seed 1] [--from NUMBER] [tests/fuzz-tar ...]

import { spawnSync } from "node:child_process";
import { parseArgs } from "node:util";

const text = { type: "string" };
const { values, positionals } = parseArgs({
  options: { count: text, seed: text, from: text },
  allowPositionals: true,
});
const files = positionals.length === 0 ? ["tests/fuzz"] : positionals;
const { status } = spawnSync("npx", ["vitest", "run", ...files], {
  stdio: "inherit",
  env: {
    ...process.env,
    HEXZ_FUZZ_COUNT: values.count ?? "1000000",
    HEXZ_SEED: values.seed ?? "1",
    HEXZ_FUZZ_FROM: values.from ?? "0",
  },
});
process.exitCode = status ?? 1;
