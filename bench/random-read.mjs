// Random reads through our library: random-read.mjs LIBRARY ARCHIVE OFFSETS LENGTH WARMUP VERIFY ENGINE
// The same offsets, one read at a time, and the same output as random-read.py.
import { readFileSync } from "node:fs";
import { pathToFileURL } from "node:url";

const [library, archivePath, offsetsFile, lengthText, warmupText, verifyText, engine] = process.argv.slice(2);

/**
 * The one place that knows the library: opens the archive and gives back a function that reads a range of its disk
 * stream, checked by BLAKE3 or not.
 * @returns {Promise<{ read: (start: number, end: number) => Uint8Array, close: () => unknown }>}
 */
async function openReader(path, { verify }) {
  const { openArchiveFile } = await import(pathToFileURL(library).href);
  const archive = await openArchiveFile(path, { verify, engine });
  const disk = await archive.file("disk");
  return { read: (start, end) => disk.readSync(start, end), close: () => archive.close?.() };
}

const bytes = readFileSync(offsetsFile);
const offsets = Array.from({ length: bytes.length / 8 }, (_, i) => Number(bytes.readBigUInt64LE(i * 8)));
const length = Number(lengthText);
const warmup = Number(warmupText);
const microseconds = new Float64Array(offsets.length);
let check = 0;

const reader = await openReader(archivePath, { verify: verifyText === "1" });
for (let i = 0; i < offsets.length; i++) {
  const start = offsets[i];
  const begin = process.hrtime.bigint();
  const data = reader.read(start, start + length);
  microseconds[i] = Number(process.hrtime.bigint() - begin) / 1000;
  // Looked at outside the clock, so that both sides can be seen to have read the same bytes.
  check = (check * 31 + data[0] + data[length - 1] * 256) % 4294967291;
}
await reader.close();

const times = microseconds.subarray(warmup).sort();
const report = {
  median: times[times.length >> 1],
  p99: times[Math.floor((times.length * 99) / 100)],
  mean: times.reduce((sum, time) => sum + time, 0) / times.length,
  check,
};
process.stdout.write(`${JSON.stringify(report)}\n`);
