// One thread of the gate: counts how many rounds of fixed integer work it gets done in the time asked for.
import { parentPort } from "node:worker_threads";

const ROUNDS_BETWEEN_CLOCK_READS = 20_000;

// A signed 32-bit start, and a function of its own that is called often: so it is compiled to integer code every time.
// With a start beyond 31 bits, or as a loop in the handler, it ran at half the rate in some processes and not in others.
let state = 0x1e3779b9;

function mix(start, rounds) {
  let value = start;
  for (let i = 0; i < rounds; i++) {
    value ^= value << 13;
    value ^= value >>> 17;
    value ^= value << 5;
  }
  return value | 0;
}

function spin(milliseconds) {
  const end = performance.now() + milliseconds;
  let rounds = 0;
  do {
    state = mix(state, ROUNDS_BETWEEN_CLOCK_READS);
    rounds += ROUNDS_BETWEEN_CLOCK_READS;
  } while (performance.now() < end);
  return rounds;
}

parentPort.on("message", (milliseconds) => parentPort.postMessage(spin(milliseconds)));
