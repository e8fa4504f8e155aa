// Progress of one command: how much, how fast, how much longer.

import { formatSize } from "./sizes.ts";
import { clearProgressLine, isTerminal, printProgressDocument, showProgressLine } from "./terminal.ts";

export type ProgressMode = "auto" | "none" | "json";

export interface Progress {
  /** So many bytes more. */
  add(bytes: number): void;
  /** How many there will be, once that is known. */
  expect(bytes: number): void;
  /** The next phase begins from zero. */
  phase(name: string, total?: number): void;
  /** Takes the line away. */
  end(): void;
}

/** Milliseconds between two lines. */
const EVERY = { terminal: 100, json: 500 };
/** Nothing is shown of what is done sooner. */
const PATIENCE = 300;

const SILENT: Progress = { add() {}, expect() {}, phase() {}, end() {} };

function durationText(seconds: number): string {
  const whole = Math.ceil(seconds);
  const pad = (value: number) => String(value).padStart(2, "0");
  const [hours, minutes] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60];
  return hours > 0 ? `${hours}:${pad(minutes)}:${pad(whole % 60)}` : `${minutes}:${pad(whole % 60)}`;
}

/** @param name of the first phase: "packing" */
export function createProgress(mode: ProgressMode, quiet: boolean, name: string, total?: number): Progress {
  const json = mode === "json";
  if (!json && (mode === "none" || quiet || !isTerminal("stderr"))) return SILENT;
  const every = json ? EVERY.json : EVERY.terminal;
  let phase = { name, total, bytes: 0, start: performance.now() };
  let next = performance.now() + (json ? 0 : PATIENCE);

  const show = (now: number): void => {
    next = now + every;
    const { bytes, total: whole, start } = phase;
    const seconds = (now - start) / 1000;
    const rate = seconds > 0 ? bytes / seconds : 0;
    const left = whole === undefined || rate === 0 ? undefined : Math.max(0, whole - bytes) / rate;
    if (json) {
      const document = { phase: phase.name, bytes, total: whole ?? null, rate: Math.round(rate) };
      printProgressDocument({ progress: { ...document, seconds_left: left === undefined ? null : Math.round(left) } });
      return;
    }
    const parts = [`${phase.name} ${formatSize(bytes)}`];
    if (whole !== undefined && whole > 0) {
      parts[0] += ` of ${formatSize(whole)}`;
      parts.push(`${Math.min(100, Math.floor((bytes / whole) * 100))} %`);
    }
    parts.push(`${formatSize(Math.round(rate))}/s`);
    if (left !== undefined) parts.push(bytes < whole! ? `${durationText(left)} left` : "finishing");
    // a line that wraps could not be taken back
    const columns = process.stderr.columns || 80;
    showProgressLine(parts.join("  ").slice(0, columns - 1));
  };

  return {
    add(bytes) {
      phase.bytes += bytes;
      const now = performance.now();
      const complete = phase.bytes === phase.total;
      if (now >= next || (complete && now - phase.start > PATIENCE)) show(now);
    },
    expect(bytes) {
      phase.total = bytes;
    },
    phase(nextName, nextTotal) {
      phase = { name: nextName, total: nextTotal, bytes: 0, start: performance.now() };
    },
    end() {
      if (json) show(performance.now());
      else clearProgressLine();
    },
  };
}
