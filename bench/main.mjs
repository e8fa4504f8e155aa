// npm run bench: makes the data, runs ours and the peers in turn behind the gate, prints a markdown table on stdout.
// bench/README.md says what is measured and how to read it.
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import os from "node:os";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { buildCase, CASES } from "./cases.mjs";
import { makeData } from "./data.mjs";
import { openGate } from "./gate.mjs";
import { oursMissing } from "./ours.mjs";
import { describeMachine, findPeers } from "./peers.mjs";
import { removeOutput, runCommand, timedRun, warm } from "./run.mjs";
import { compare, renderComparisons, renderRuns, summarizeCase } from "./table.mjs";

const USAGE = `npm run bench -- [options]

  --only A,B        measures whose name begins with A or B (--list prints them); all
  --runs N          rounds, of which medians are taken; 5
  --data DIR        where inputs, peers and outputs live; .cache/bench
  --engines A,B     engines of ours to report; auto,wasm
  --peers-only      leave ours out
  --dense-image     write out the holes of the image, so that nobody can skip them
  --gate F          share of the machine's good rate that lets a run start; 0.9
  --gate-wait S     longest wait before one run, in seconds; the run then goes ahead, and is marked; 60
  --timeout S       longest time one command may take; 300
  --check           exit 1 when a measure is below what is asked
  --list, --help
`;

const OPTIONS = {
  only: { type: "string" },
  runs: { type: "string", default: "5" },
  data: { type: "string", default: fileURLToPath(new URL("../.cache/bench", import.meta.url)) },
  engines: { type: "string", default: "auto,wasm" },
  "peers-only": { type: "boolean", default: false },
  "dense-image": { type: "boolean", default: false },
  gate: { type: "string", default: "0.9" },
  "gate-wait": { type: "string", default: "60" },
  timeout: { type: "string", default: "300" },
  check: { type: "boolean", default: false },
  list: { type: "boolean", default: false },
  help: { type: "boolean", default: false },
};

const log = (line) => console.error(`bench: ${line}`);

async function main() {
  const options = readOptions();
  if (!options) return 2;
  if (options.help) {
    console.log(USAGE);
    return 0;
  }
  if (options.list) {
    for (const { id, input } of CASES) console.log(`${id.padEnd(18)} ${input}`);
    return 0;
  }

  const missing = oursMissing();
  const withOurs = !options.peersOnly && !missing;
  const dataDirectory = resolve(options.data);
  mkdirSync(dataDirectory, { recursive: true });
  // The real hexz leaves out what any .gitignore above the tree names, without a word. This turns that off.
  writeFileSync(join(dataDirectory, ".ignore"), "!*\n");
  const out = join(dataDirectory, "out");
  removeOutput(out);
  mkdirSync(out, { recursive: true });
  const inMemory = existsSync("/dev/shm") ? "/dev/shm" : os.tmpdir();
  const memoryDirectory = mkdtempSync(join(inMemory, "hexz-bench-"));
  process.on("exit", () => rmSync(memoryDirectory, { recursive: true, force: true }));

  const peers = await findPeers(dataDirectory);
  const notes = [...peers.missing];
  if (!withOurs) notes.unshift(missing ?? "ours: left out, as asked");
  if (inMemory !== "/dev/shm")
    notes.push("no /dev/shm: the tree is extracted to a directory that may not be in memory");
  if (!peers.paths.time) notes.push("peak memory and CPU time: not measured without GNU time");
  if (os.availableParallelism() > 2)
    notes.push("more than two cores: start with `taskset -c 0,1` to compare with the figures asked for");
  for (const note of notes) log(note);

  const needed = new Set(options.cases.flatMap(({ input, also = [] }) => [input, ...also]));
  const inputs = await makeData(dataDirectory, { needed, paths: peers.paths, denseImage: options.denseImage, log });
  const gate = await openGate({
    stateFile: join(dataDirectory, "gate.json"),
    fraction: options.gate,
    waitSeconds: options.gateWait,
  });

  const context = { inputs, peers, engines: options.engines, withOurs, out, memoryDirectory, dataDirectory };
  const results = [];
  for (const each of options.cases) {
    const built = buildCase(each, context);
    results.push(await runCase(built, { options, gate, context }));
    for (const directory of [out, join(dataDirectory, "borg-home")]) removeOutput(directory);
    mkdirSync(out, { recursive: true });
  }
  await gate.close();

  for (const result of results) summarizeCase(result);
  const rows = compare(results, options.engines);
  writeFileSync(
    join(dataDirectory, "results.json"),
    `${JSON.stringify({ date: new Date().toISOString(), rows, results }, null, 1)}\n`,
  );
  print({ options, rows, results, peers, notes, dataDirectory });
  return options.check && rows.some((row) => row.cells.some((cell) => cell?.verdict === "below")) ? 1 : 0;
}

function readOptions() {
  try {
    const { values } = parseArgs({ options: OPTIONS, strict: true, allowPositionals: false });
    const numbers = {
      runs: Number(values.runs),
      gate: Number(values.gate),
      gateWait: Number(values["gate-wait"]),
      timeout: Number(values.timeout),
    };
    for (const [name, number] of Object.entries(numbers)) {
      if (!(number >= 0) || (name === "runs" && !Number.isInteger(number)) || (number === 0 && name !== "gateWait")) {
        throw new Error(`--${name}: not a usable number`);
      }
    }
    const only = values.only?.split(",");
    const cases = CASES.filter(({ id }) => !only || only.some((prefix) => id.startsWith(prefix)));
    const unknown = only?.find((prefix) => !CASES.some(({ id }) => id.startsWith(prefix)));
    if (unknown !== undefined) throw new Error(`--only: nothing begins with ${unknown}; see --list`);
    const { data, engines, list, help, check } = values;
    const flags = { peersOnly: values["peers-only"], denseImage: values["dense-image"], list, help, check };
    return { ...numbers, ...flags, data, cases, engines: engines.split(",") };
  } catch (error) {
    console.error(`${error.message}\n\n${USAGE}`);
    return null;
  }
}

/** All contenders of one measure, in turn, round by round; the order shifts so that none always follows the same other. */
async function runCase(built, { options, gate, context }) {
  log(`${built.id}: ${built.title}`);
  const contenders = built.contenders.map((contender) => ({ ...contender, samples: [] }));
  const warmed = new Set([built.input.path]);
  built.setup?.();
  for (const contender of contenders) {
    if (!contender.setup) continue;
    try {
      if (!warmed.has(contender.setup.output))
        await runCommand(contender.setup.argv, { timeoutSeconds: options.timeout });
      warmed.add(contender.setup.output);
    } catch (error) {
      fail(contender, error);
    }
  }

  const rounds = options.runs * (built.repeat ?? 1);
  for (let round = 0; round < rounds; round++) {
    for (let turn = 0; turn < contenders.length; turn++) {
      const contender = contenders[(round + turn) % contenders.length];
      if (contender.failure) continue;
      warm(warmed);
      const { open, share, waitedSeconds } = await gate.pass();
      try {
        const sample = await timedRun(
          { timeoutSeconds: options.timeout, ...contender },
          {
            timeTool: context.peers.paths.time ?? null,
            scratch: context.dataDirectory,
            // Once is enough: what is verified is that the tool does the whole job.
            verify: round === 0 && contender.output ? built.verify?.bind(null, contender.output) : undefined,
          },
        );
        contender.samples.push({ ...sample, gateOpen: open, gateShare: share, waitedSeconds });
        log(`  ${describeSample(contender, sample, { open, share, waitedSeconds })}`);
      } catch (error) {
        fail(contender, error);
      }
    }
  }
  sameReads(contenders);
  return { ...built, contenders };
}

function fail(contender, error) {
  contender.failure = error.message.split("\n").slice(0, 3).join(" ").slice(0, 300);
  contender.samples = [];
  log(`  ${contender.id} is left out: ${error.message}`);
}

/** Readers add up what they read: unequal sums mean that one of them returned other bytes. */
function sameReads(contenders) {
  const sums = new Map();
  for (const { id, samples } of contenders) {
    for (const { report } of samples) if (report) sums.set(report.check, id);
  }
  if (sums.size > 1) throw new Error(`the readers returned different bytes: ${[...sums.values()].join(", ")}`);
}

function describeSample(contender, sample, { open, share, waitedSeconds }) {
  const size = sample.outputBytes ? `${(sample.outputBytes / 1e6).toFixed(1)} MB`.padStart(10) : "".padStart(10);
  const peak = sample.peakBytes ? `${(sample.peakBytes / 1e6).toFixed(0)} MB peak`.padStart(12) : "";
  const read = sample.report ? `  p50 ${sample.report.median.toFixed(1)} µs` : "";
  const gate = `  gate ${share.toFixed(2)}${waitedSeconds > 1 ? ` after ${waitedSeconds.toFixed(0)} s` : ""}${open ? "" : ", not reached"}`;
  return `${contender.id.padEnd(22)} ${sample.seconds.toFixed(3).padStart(7)} s${size}${peak}${read}${gate}`;
}

function print({ options, rows, results, peers, notes, dataDirectory }) {
  const runs = results.flatMap((result) => result.contenders.flatMap((contender) => contender.samples));
  const versions = Object.entries({ node: process.versions.node, ...peers.versions })
    .filter(([name]) => name !== "time")
    .map(([name, version]) => `${name} ${version}`);
  const installed = Object.keys(peers.hexz).map((version) => `hexz ${version}`);
  const command = ["npm run bench", ...(process.argv.length > 2 ? ["--", ...process.argv.slice(2)] : [])].join(" ");
  console.log(`${new Date().toISOString().slice(0, 10)} · ${describeMachine(os, dataDirectory)}

Versions: ${[...versions, ...installed].join(", ")}

Command: \`${command}\` (${options.runs} rounds, medians; whole commands, start and fsync included; ${runs.filter((run) => !run.gateOpen).length} of ${runs.length} runs began without the gate reached)
${notes.map((note) => `\nNote: ${note}`).join("")}

${renderComparisons(rows, options.engines)}

A speed is the peer's median time over ours: more is better. Against hexz its time without the start of Python and the
import counts, ours with everything. A size is ours over the peer's: less is better. ✓ reaches the aim.

${renderRuns(results)}`);
}

// `npm run bench -- profiles` is a program of its own.
if (process.argv[2] === "profiles") await import("./profiles.mjs");
else process.exitCode = await main();
