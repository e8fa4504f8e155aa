// Loaded before the program (node --import): its threads die as DYING says, at the task after so many, or before the first;
// LOG gets a line for each. Without DYING this file is what the threads run.

import { appendFileSync, existsSync } from "node:fs";
import { syncBuiltinESMExports } from "node:module";
import threads from "node:worker_threads";

const { DYING, AFTER, LOG } = process.env;
const { compareExchange } = Atomics;
/** Enough for the thread's program. */
const MEGABYTES = 24;

function die() {
  appendFileSync(LOG, "dies\n");
  if (DYING === "exit") process.exit(7);
  if (DYING === "throw") throw new Error("the thread's program fails");
  const hoard = [];
  for (;;) hoard.push(new Array(10_000).fill(hoard.length));
}

if (threads.isMainThread) {
  const { Worker } = threads;
  threads.Worker = class extends Worker {
    constructor(url, options) {
      const resourceLimits = { maxOldGenerationSizeMb: MEGABYTES };
      super(new URL(import.meta.url), { ...options, resourceLimits, env: { ...process.env, PROGRAM: url.href } });
      this.on("error", (error) => appendFileSync(LOG, `${error.code ?? error.message}\n`));
      this.on("exit", (code) => appendFileSync(LOG, `exit ${code}\n`));
    }
  };
  syncBuiltinESMExports();
  // The main thread leaves the tasks to the others until one has died; otherwise it may be done before they have started.
  const nothing = new Int32Array(new SharedArrayBuffer(4));
  Atomics.compareExchange = (words, at, expected, value) => {
    if (existsSync(LOG)) return compareExchange(words, at, expected, value);
    Atomics.wait(nothing, 0, 0, 1);
    return expected - 1;
  };
} else {
  let claimed = 0;
  // A thread claims a task by this.
  Atomics.compareExchange = (...words) => {
    const found = compareExchange(...words);
    if (found === words[2] && claimed++ === Number(AFTER)) die();
    return found;
  };
  if (Number(AFTER) < 0) die();
  await import(process.env.PROGRAM);
}
