// What must be undone when the process is told to stop: unfinished outputs register here, and the handler of SIGINT and
// SIGTERM calls `abortAll`. Everything is synchronous, so that it also works in an `exit` handler.

const pending = new Set<() => void>();

/** Registers `undo`. @returns a function that takes it back, once the output is finished or undone */
export function onAbort(undo: () => void): () => void {
  pending.add(undo);
  return () => pending.delete(undo);
}

/** Undoes every unfinished output of this thread. Failures are passed over: there is nobody left to act on them. */
export function abortAll(): void {
  for (const undo of pending) {
    pending.delete(undo);
    try {
      undo();
    } catch {
      // the others still have to be undone
    }
  }
}
