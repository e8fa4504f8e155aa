// A task as a record of 32-bit words in the engines' shared memory.

import type { Engine } from "../engine.ts";

export const TASK_STATE = { idle: 0, queued: 1, done: 2, failed: 3 } as const;
/** Words of a task: state, kind, arguments. */
const TASK_WORDS = 14;

/** A task's record in memory. */
export interface Task {
  readonly words: Int32Array;
  /** Byte address of `words`, by which another thread finds it. */
  readonly address: number;
}

/** What one thread needs besides the engine: room to put the parts of a block together. */
export interface Workspace {
  readonly engine: Engine;
  readonly gather: Uint8Array;
}

export function allocateTask(engine: Engine): Task {
  const bytes = engine.allocate(TASK_WORDS * 4);
  return { words: new Int32Array(bytes.buffer, bytes.byteOffset, TASK_WORDS), address: bytes.byteOffset };
}

export function taskAt(memory: WebAssembly.Memory, address: number): Task {
  return { words: new Int32Array(memory.buffer, address, TASK_WORDS), address };
}

export function setTask(task: Task, kind: number, ...values: number[]): void {
  task.words[0] = TASK_STATE.idle;
  task.words[1] = kind;
  for (let at = 0; at < values.length; at++) task.words[2 + at] = values[at]!;
}
