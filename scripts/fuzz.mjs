// Fuzzes longer than the tests do: npm run fuzz -- --count 1000000 --seed 1 [--from NUMBER]

import { spawnSync } from "node:child_process";
import { parseArgs } from "node:util";

const text = { type: "string" };
const { values } = parseArgs({ options: { count: text, seed: text, from: text } });
const { status } = spawnSync("npx", ["vitest", "run", "tests/fuzz"], {
  stdio: "inherit",
  env: {
    ...process.env,
    HEXZ_FUZZ_COUNT: values.count ?? "1000000",
    HEXZ_SEED: values.seed ?? "1",
    HEXZ_FUZZ_FROM: values.from ?? "0",
  },
});
process.exitCode = status ?? 1;
