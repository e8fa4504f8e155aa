// A crew of threads over one shared memory. The coordinator publishes tasks in a ring; whoever is free claims the next
// one, the coordinator too while it waits. Nothing is sent by message, so a task costs two atomic operations.

import { existsSync, readlinkSync } from "node:fs";
import { Worker } from "node:worker_threads";
import type { CodecId, Engine } from "../core/engine.ts";
import { HexzError } from "../core/errors.ts";
import { compileBase64 } from "../core/kernels.ts";
import { createPortableEngine, ENGINE_SCRATCH } from "../core/portable-engine.ts";
import type { Crew } from "../core/work/crew.ts";
import { runTask, TASK_STATE, type Task, taskAt, type Workspace } from "../core/work/task.ts";
import { SHARED_KERNELS_BASE64 } from "./kernels-shared.generated.ts";
import { createNativeEngine } from "./native-engine.ts";

export type EngineChoice = "auto" | "native" | "wasm";

/** More than tasks are ever in flight. */
const RING = 256;
/** Control words: tasks published, tasks claimed, whether to stop, the ring of task addresses, two of every thread. */
const CONTROL = { published: 0, claimed: 1, stop: 2, ring: 3, threads: 3 + RING } as const;
/** Of a thread: its number in the system, 0 where that is not known; the task that it claims or runs. */
const OF_THREAD = { id: 0, task: 1, words: 2 } as const;
const PAGE = 65_536;
/** Milliseconds of waiting for a task after which the coordinator looks whether its thread is still alive. */
const LOOK = 250;
/**
 * Milliseconds after which the coordinator runs the task of a thread again of which it cannot tell that it died. Long,
 * because a thread that is only slow would write where others write by then.
 */
const GIVE_UP = 600_000;
/** Milliseconds for a thread to end after it was told to. */
const LAST_WORDS = 20_000;

/** What a thread is told when it starts. */
export interface WorkerStart {
  readonly kernels: WebAssembly.Module;
  readonly memory: WebAssembly.Memory;
  readonly heap: { readonly start: number; readonly end: number };
  readonly gatherBytes: number;
  readonly controlAddress: number;
  /** Its number among the threads. */
  readonly number: number;
  readonly engine: EngineChoice;
  readonly codecs: readonly CodecId[];
}

/** @throws HexzError `not_available` when native codecs are asked for and there are none */
export function chooseEngine(portable: Engine, choice: EngineChoice): Engine {
  if (choice === "wasm") return portable;
  const native = createNativeEngine(portable);
  if (native === undefined && choice === "native") {
    throw new HexzError("not_available", "no native codec or digest was found on this machine", {
      hint: "install liblz4 and libzstd, and the optional packages koffi and @napi-rs/blake-hash",
    });
  }
  return native ?? portable;
}

/** A view of the control words. */
export function controlAt(memory: WebAssembly.Memory, address: number): Int32Array {
  return new Int32Array(memory.buffer, address, PAGE / 4);
}

const wordOf = (number: number, word: "id" | "task"): number =>
  CONTROL.threads + number * OF_THREAD.words + OF_THREAD[word];

/** The number by which the system knows this thread; 0 where it does not say, which is so without /proc. */
function systemThreadId(): number {
  try {
    return Number(/\d+$/.exec(readlinkSync("/proc/thread-self"))?.[0] ?? 0);
  } catch {
    return 0;
  }
}

/** Whether the thread that claimed a task has died. */
function isAbandoned(control: Int32Array, threads: number, { address }: Task): boolean {
  for (let number = 0; number < threads; number++) {
    if (Atomics.load(control, wordOf(number, "task")) >>> 0 !== address) continue;
    const id = Atomics.load(control, wordOf(number, "id"));
    if (id !== 0 && !existsSync(`/proc/self/task/${id}`)) return true;
  }
  return false;
}

/**
 * Runs the next task that nobody has claimed. Returns false when there is none.
 * @param mine the word that says which task this thread has
 */
function runNext(workspace: Workspace, control: Int32Array, mine?: number): boolean {
  const claimed = Atomics.load(control, CONTROL.claimed);
  if (claimed === Atomics.load(control, CONTROL.published)) return false;
  const address = Atomics.load(control, CONTROL.ring + (claimed & (RING - 1)));
  // Before the claim: from then on a thread may die with it.
  if (mine !== undefined) Atomics.store(control, mine, address);
  if (Atomics.compareExchange(control, CONTROL.claimed, claimed, (claimed + 1) | 0) !== claimed) return true;
  const task = taskAt(workspace.engine.memory, address >>> 0);
  let state: number = TASK_STATE.failed;
  try {
    runTask(workspace, task);
    state = TASK_STATE.done;
  } finally {
    Atomics.store(task.words, 0, state);
    Atomics.notify(task.words, 0);
  }
  return true;
}

/** The life of a thread: tasks until it is told to stop. */
export function serveTasks(workspace: Workspace, control: Int32Array, number: number): void {
  const mine = wordOf(number, "task");
  Atomics.store(control, wordOf(number, "id"), systemThreadId());
  for (;;) {
    const published = Atomics.load(control, CONTROL.published);
    if (Atomics.load(control, CONTROL.stop) !== 0) return;
    try {
      if (runNext(workspace, control, mine)) continue;
    } catch {
      // The coordinator sees the task's state and runs it again, so that the error appears where it can be told.
      continue;
    }
    Atomics.wait(control, CONTROL.published, published);
  }
}

export interface PoolOptions {
  /** Threads that run tasks, the coordinator included: 1 starts none. */
  readonly threads: number;
  /** Bytes that the coordinator will allocate. */
  readonly heapBytes: number;
  /** The longest block that will be put together. */
  readonly gatherBytes: number;
  readonly engine: EngineChoice;
  /** Codecs that tasks will need: the threads load them when they start. */
  readonly codecs: readonly CodecId[];
}

export async function createPool(options: PoolOptions): Promise<Crew> {
  const { threads, heapBytes, gatherBytes } = options;
  const threadHeap = Math.ceil((2 * ENGINE_SCRATCH + gatherBytes) / PAGE) * PAGE;
  const mainHeap = Math.ceil((2 * ENGINE_SCRATCH + gatherBytes + heapBytes) / PAGE) * PAGE;
  // The control words have the page behind the coordinator's heap.
  const threadsStart = mainHeap + PAGE;
  const pages = (threadsStart + (threads - 1) * threadHeap) / PAGE;
  const memory = new WebAssembly.Memory({ initial: pages, maximum: pages, shared: true });
  const kernels = await compileBase64(SHARED_KERNELS_BASE64);
  const control = controlAt(memory, mainHeap);
  const codecs = new Set<CodecId>(options.codecs);
  let workers: Worker[] = [];

  const stop = async () => {
    Atomics.store(control, CONTROL.stop, 1);
    // They end by themselves: a thread that is terminated while it loads native code takes the process with it. One
    // that looked just before may be about to wait, hence more than one call.
    const call = setInterval(() => Atomics.notify(control, CONTROL.published), 1);
    await Promise.all(workers.map(ended));
    clearInterval(call);
    workers = [];
    Atomics.store(control, CONTROL.stop, 0);
  };
  const startWorkers = () => {
    for (let number = 0; number < threads - 1; number++) {
      control.fill(0, wordOf(number, "id"), wordOf(number + 1, "id"));
      const start = threadsStart + number * threadHeap;
      const workerData: WorkerStart = {
        kernels,
        memory,
        heap: { start, end: start + threadHeap },
        gatherBytes,
        controlAddress: mainHeap,
        number,
        engine: options.engine,
        codecs: [...codecs],
      };
      const worker = new Worker(workerUrl(), { workerData, execArgv: [] });
      // A thread that fails is missed by nobody: the coordinator does the work.
      worker.on("error", () => {});
      worker.unref();
      workers.push(worker);
    }
  };

  // They take longer to start than everything here.
  startWorkers();
  let engine: Engine;
  try {
    const portable = await createPortableEngine({ kernels, memory, heap: { start: 0, end: mainHeap } });
    engine = chooseEngine(portable, options.engine);
  } catch (error) {
    await stop();
    throw error;
  }
  const workspace = { engine, gather: engine.allocate(gatherBytes) };

  return {
    engine,
    threads,
    async load(codec) {
      await engine.load(codec);
      if (codecs.has(codec)) return;
      codecs.add(codec);
      await stop();
      startWorkers();
    },
    start(task) {
      Atomics.store(task.words, 0, TASK_STATE.queued);
      const published = Atomics.load(control, CONTROL.published);
      Atomics.store(control, CONTROL.ring + (published & (RING - 1)), task.address);
      Atomics.store(control, CONTROL.published, (published + 1) | 0);
      Atomics.notify(control, CONTROL.published, 1);
    },
    isDone: (task) => Atomics.load(task.words, 0) >= TASK_STATE.done && succeeded(workspace, task),
    wait(task) {
      const deadline = performance.now() + GIVE_UP;
      while (Atomics.load(task.words, 0) === TASK_STATE.queued) {
        if (runNext(workspace, control)) continue;
        const waited = Atomics.wait(task.words, 0, TASK_STATE.queued, LOOK);
        if (waited !== "timed-out") continue;
        if (!isAbandoned(control, threads - 1, task) && performance.now() < deadline) continue;
        runTask(workspace, task);
        Atomics.store(task.words, 0, TASK_STATE.done);
      }
      succeeded(workspace, task);
    },
    close: stop,
  };
}

/** Resolves when a thread has ended, which one that hangs is made to. */
function ended(worker: Worker): Promise<void> {
  if (worker.threadId < 0) return Promise.resolve();
  return new Promise((resolve) => {
    const hangs = setTimeout(() => worker.terminate(), LAST_WORDS);
    worker.ref();
    worker.once("exit", () => {
      clearTimeout(hangs);
      resolve();
    });
  });
}

/** Runs a task that failed in a thread once more here, where its error reaches the caller. */
function succeeded(workspace: Workspace, task: Task): true {
  if (Atomics.load(task.words, 0) === TASK_STATE.failed) {
    runTask(workspace, task);
    Atomics.store(task.words, 0, TASK_STATE.done);
  }
  return true;
}

/** The thread's program stands beside this one where it is bundled, and in dist when run from the sources. */
function workerUrl(): URL {
  return new URL(import.meta.url.endsWith(".ts") ? "../../dist/worker.js" : "./worker.js", import.meta.url);
}
