// Waiting for a pipe that is not ready (EAGAIN): the other end owns its flags, so it may be non-blocking although nobody
// here asked for it.

/** Attempts that only let other events run; a reader at work is ready within these. */
const EAGER = 64;
const LONGEST_WAIT_MS = 10;

/** Resolves when the `attempt`th try (from 0) should be made: at once at first, then after 1 to 10 ms. */
export function beforeRetry(attempt: number): Promise<void> {
  return new Promise((resolve) => {
    if (attempt < EAGER) setImmediate(resolve);
    else setTimeout(resolve, Math.min(attempt - EAGER + 1, LONGEST_WAIT_MS));
  });
}
