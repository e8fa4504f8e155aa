// Who runs tasks: this thread alone (everywhere), or a pool of threads over one shared memory (node/pool.ts).

import type { CodecId, Engine } from "../engine.ts";
import { runTask, TASK_STATE, type Task, type Workspace } from "./task.ts";

/** Runs tasks in any order. Results depend on the tasks alone, so every crew gives the same ones. */
export interface Crew {
  /** The coordinator's engine. */
  readonly engine: Engine;
  /** Threads that run tasks, the coordinator's included. */
  readonly threads: number;
  /** Makes a codec usable on every thread. */
  load(codec: CodecId): Promise<void>;
  /** Hands a task over; it may have run when this returns. */
  start(task: Task): void;
  /** Whether a task that was started has run. */
  isDone(task: Task): boolean;
  /** Returns when the task has run, which this thread may do itself. */
  wait(task: Task): void;
  /** Ends the threads. */
  close(): Promise<void>;
}

/** Everything on this thread. */
export function createInlineCrew(workspace: Workspace): Crew {
  return {
    engine: workspace.engine,
    threads: 1,
    load: (codec) => workspace.engine.load(codec),
    start(task) {
      runTask(workspace, task);
      task.words[0] = TASK_STATE.done;
    },
    isDone: (task) => task.words[0] === TASK_STATE.done,
    wait() {},
    async close() {},
  };
}
