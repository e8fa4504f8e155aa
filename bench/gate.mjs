// The gate before each run: machines with burst budgets, and neighbours, give now two cores and now one. A short spin
// on two threads tells which; a run starts only when the spin reaches the rate this machine is known to reach.
import { readFileSync, writeFileSync } from "node:fs";
import { cpus } from "node:os";
import { setTimeout as sleep } from "node:timers/promises";
import { Worker } from "node:worker_threads";

const SPIN_MILLISECONDS = 500;
const PAUSE_MILLISECONDS = 1000;
const CALIBRATION_SPINS = 8;
const REMEMBERED_RATES = 5;
/** All waits of one benchmark together, so that a machine that has become slow for good does not hold it up for hours. */
const TOTAL_WAIT_SECONDS = 1200;
/** The known good rate is the third best seen: the very best may have been a moment of turbo that never comes back. */
const GOOD_RATE_RANK = 2;

/**
 * @param {{ stateFile: string, fraction: number, waitSeconds: number, threads?: number }} options `fraction` of the
 * good rate that opens the gate; `waitSeconds` bounds one wait, after which the run goes ahead and is marked.
 */
export async function openGate({ stateFile, fraction, waitSeconds, threads = 2 }) {
  const workers = Array.from({ length: threads }, () => new Worker(new URL("./gate-spin.mjs", import.meta.url)));
  const cpu = cpus()[0]?.model ?? "unknown";
  let best = loadRates(stateFile, cpu, threads);
  let waitLeft = TOTAL_WAIT_SECONDS;

  function spinOne(worker) {
    return new Promise((resolve, reject) => {
      worker.once("message", resolve);
      worker.once("error", reject);
      worker.postMessage(SPIN_MILLISECONDS);
    }).finally(() => worker.removeAllListeners("error"));
  }

  async function spin() {
    const rounds = await Promise.all(workers.map(spinOne));
    const rate = rounds.reduce((sum, n) => sum + n, 0) / SPIN_MILLISECONDS;
    best = [...best, rate].sort((a, b) => b - a).slice(0, REMEMBERED_RATES);
    return rate;
  }

  const goodRate = () => best[Math.min(GOOD_RATE_RANK, best.length - 1)];

  // The first spin compiles the loop and counts for nothing.
  await Promise.all(workers.map(spinOne));
  for (let i = 0; i < CALIBRATION_SPINS; i++) {
    await spin();
    await sleep(PAUSE_MILLISECONDS / 4);
  }
  save();

  function save() {
    writeFileSync(stateFile, `${JSON.stringify({ cpu, threads, best })}\n`);
  }

  return {
    goodRate,
    /** Waits for the machine to be at its good rate. `open` is false when the wait ran out. */
    async pass() {
      const limit = Math.min(waitSeconds, waitLeft);
      const begin = performance.now();
      for (;;) {
        const share = (await spin()) / goodRate();
        const waitedSeconds = (performance.now() - begin) / 1000;
        const open = share >= fraction;
        if (open || waitedSeconds >= limit) {
          // A gate found open costs one spin, which is no wait.
          waitLeft = Math.max(0, waitLeft - Math.max(0, waitedSeconds - (2 * SPIN_MILLISECONDS) / 1000));
          return { open, share, waitedSeconds };
        }
        await sleep(PAUSE_MILLISECONDS);
      }
    },
    async close() {
      save();
      await Promise.all(workers.map((worker) => worker.terminate()));
    },
  };
}

/** Rates of earlier runs on the same processor, so that a run that starts while throttled does not take that for good. */
function loadRates(stateFile, cpu, threads) {
  try {
    const state = JSON.parse(readFileSync(stateFile, "utf8"));
    return state.cpu === cpu && state.threads === threads ? state.best : [];
  } catch {
    return [];
  }
}
