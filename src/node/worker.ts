// The program of a thread of the pool.

import { workerData } from "node:worker_threads";
import { createPortableEngine } from "../core/portable-engine.ts";
import { chooseEngine, controlAt, serveTasks, type WorkerStart } from "./pool.ts";

const {
  kernels,
  memory,
  heap,
  gatherBytes,
  controlAddress,
  number,
  engine: choice,
  codecs,
} = workerData as WorkerStart;
const engine = chooseEngine(await createPortableEngine({ kernels, memory, heap }), choice);
for (const codec of codecs) await engine.load(codec);
serveTasks({ engine, gather: engine.allocate(gatherBytes) }, controlAt(memory, controlAddress), number);
