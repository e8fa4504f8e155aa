// What a check finds: problems up to a limit, and the parts of the address space that are lost.

import { type ErrorCode, HexzError } from "../errors.ts";

/** Something that is not as it must be. */
export interface Problem {
  readonly code: ErrorCode;
  /** What part of the archive: "head", "index", "tree", "metadata", "content", "layout". */
  readonly where: string;
  /** The entry or stream whose bytes are lost, and which, where that is known. */
  readonly path?: string;
  readonly start?: number;
  readonly end?: number;
  readonly message: string;
}

/** Problems that are told one by one; an archive may be damaged everywhere. */
const MOST_PROBLEMS = 1000;
/** Lost ranges that are told apart. */
const MOST_LOST = 10_000;

/** Addresses [start, end) that cannot be read. */
export interface Lost {
  readonly start: number;
  end: number;
  readonly error: HexzError;
}

export class Findings {
  readonly #problems: Problem[] = [];
  #more = 0;
  readonly lost: Lost[] = [];
  /** Lost ranges that some content has told of. */
  readonly #told = new Set<Lost>();
  /** Lost ranges that did not fit, and bytes in them. */
  #untold = { count: 0, bytes: 0 };

  add(problem: Problem): void {
    if (this.#problems.length < MOST_PROBLEMS) this.#problems.push(problem);
    else this.#more++;
  }

  /** @param where see Problem */
  fail(where: string, error: HexzError): void {
    this.add({ code: error.code, where, message: error.message });
  }

  invalid(where: string, message: string): void {
    this.add({ code: "invalid", where, message });
  }

  /** Ranges come in address order. */
  lose(start: number, end: number, error: HexzError): void {
    const last = this.lost.at(-1);
    if (last !== undefined && last.end === start && last.error.code === error.code) last.end = end;
    else if (this.lost.length < MOST_LOST) this.lost.push({ start, end, error });
    else this.#untold = { count: this.#untold.count + 1, bytes: this.#untold.bytes + end - start };
  }

  /** Tells which bytes of a content, at addresses [start, end), are lost. */
  tellLost(path: string, start: number, end: number): void {
    const { lost } = this;
    for (let number = firstBehind(lost, start); number < lost.length && lost[number]!.start < end; number++) {
      const range = lost[number]!;
      const from = Math.max(range.start, start) - start;
      const to = Math.min(range.end, end) - start;
      const message = `bytes ${from} to ${to} of "${path}" are lost: ${range.error.message}`;
      this.add({ code: range.error.code, where: "content", path, start: from, end: to, message });
      this.#told.add(range);
    }
  }

  /** Tells of the lost ranges that no content has told of. */
  tellRest(): void {
    for (const range of this.lost) {
      if (this.#told.has(range)) continue;
      const { start, end, error } = range;
      this.add({
        code: error.code,
        where: "content",
        message: `addresses ${start} to ${end} are lost: ${error.message}`,
      });
    }
  }

  /** All problems, the last one saying how many are left out. */
  problems(): Problem[] {
    const { count, bytes } = this.#untold;
    const problems = [...this.#problems];
    const last = { code: "damaged", where: "content" } as const;
    if (count > 0) problems.push({ ...last, message: `${count} more ranges are lost, ${bytes} bytes in all` });
    if (this.#more > 0) problems.push({ ...last, where: "layout", message: `there are ${this.#more} more problems` });
    return problems;
  }
}

/** The first range that ends behind an address. */
function firstBehind(lost: readonly Lost[], address: number): number {
  let low = 0;
  let high = lost.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (lost[middle]!.end <= address) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** What is not the archive's fault. */
const OUTSIDE: readonly ErrorCode[] = ["io", "interrupted", "permission", "not_found"];

/** What a step returns, or undefined when the archive made it fail, which is noted then. */
export async function noting<T>(findings: Findings, where: string, step: () => Promise<T>): Promise<T | undefined> {
  try {
    return await step();
  } catch (error) {
    if (!(error instanceof HexzError) || OUTSIDE.includes(error.code)) throw error;
    findings.fail(where, error);
    return undefined;
  }
}
