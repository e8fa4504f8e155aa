// Source text of src/kernels that is computed: the GEAR table of FastCDC, and the seven rounds of BLAKE3 in four lanes,
// unrolled so that every message word has a fixed address (a loop with a table of them costs 15 % of the speed).

import { createHash } from "node:crypto";

/** GEAR[b]: the first 8 bytes, big endian, of the MD5 of 64 copies of byte b. */
export function gearTable() {
  const words = Array.from({ length: 256 }, (_, byte) => {
    const digest = createHash("md5").update(Buffer.alloc(64, byte)).digest();
    return `  0x${digest.readBigUInt64BE(0).toString(16).padStart(16, "0")},\n`;
  });
  return `export const GEAR = memory.data<u64>([\n${words.join("")}]);\n`;
}

// How the message words move from one round to the next, and the words of the state that each quarter mixes: columns
// first, then diagonals.
const PERMUTATION = [2, 6, 3, 10, 7, 0, 4, 13, 1, 11, 12, 5, 9, 14, 15, 8];
const COLUMNS = [0, 1, 2, 3].map((n) => [n, n + 4, n + 8, n + 12]);
const DIAGONALS = [0, 1, 2, 3].map((n) => [n, ((n + 1) % 4) + 4, ((n + 2) % 4) + 8, ((n + 3) % 4) + 12]);

function rounds() {
  const lines = [];
  let order = Array.from({ length: 16 }, (_, word) => word);
  for (let round = 0; round < 7; round++) {
    for (const [quarters, offset] of [
      [COLUMNS, 0],
      [DIAGONALS, 8],
    ]) {
      for (const [half, first, second] of [
        [0, "turn16", "turn12"],
        [1, "turn8", "turn7"],
      ]) {
        // The same step of all four quarters side by side: they do not depend on one another. The message word is
        // added first, off the chain that leads from b to a.
        quarters.forEach(([a, b], n) => {
          lines.push(`s${a} = i32x4.add(i32x4.add(s${a}, m${order[offset + 2 * n + half]}), s${b});`);
        });
        for (const [a, , , d] of quarters) lines.push(`s${d} = ${first}(v128.xor(s${d}, s${a}));`);
        for (const [, , c, d] of quarters) lines.push(`s${c} = i32x4.add(s${c}, s${d});`);
        for (const [, b, c] of quarters) lines.push(`s${b} = ${second}(v128.xor(s${b}, s${c}));`);
      }
    }
    order = PERMUTATION.map((from) => order[from]);
  }
  return lines.map((line) => `    ${line}\n`).join("");
}

const each = (count, line) => Array.from({ length: count }, (_, n) => line(n)).join("");

/** compress4(): the compression function on four inputs, one in each lane of a vector. */
export function blake3Lanes() {
  const ivs = Array.from({ length: 8 }, (_, n) => `IV${n}`).join(", ");
  const rows = Array.from({ length: 4 }, (_, n) => `v128.load(in${n} + from)`).join(", ");
  return `import { ${ivs}, transpose, turn7, turn8, turn12, turn16 } from "./blake3-compress";

/**
 * The chaining values of four inputs of \`blocks\` whole blocks each, to \`out\`, 32 bytes each. The counter of lane n is
 * \`counter + n * step\`. \`message\` is 256 bytes of scratch, 16-byte aligned.
 */
export function compress4(
  in0: usize, in1: usize, in2: usize, in3: usize, blocks: i32,
  counter: u64, step: u32, flags: u32, firstFlag: u32, lastFlag: u32, out: usize, message: usize,
): void {
${each(8, (n) => `  let h${n} = i32x4.splat(IV${n});\n`)}
${each(4, (n) => `  const n${n} = counter + ${n} * u64(step);\n`)}
  let low = i32x4.splat(u32(n0));
  let high = i32x4.splat(u32(n0 >> 32));
${each(3, (n) => `  low = i32x4.replace_lane(low, ${n + 1}, u32(n${n + 1}));\n  high = i32x4.replace_lane(high, ${n + 1}, u32(n${n + 1} >> 32));\n`)}
  for (let block = 0; block < blocks; block++) {
    const flag = flags | (block == 0 ? firstFlag : 0) | (block == blocks - 1 ? lastFlag : 0);
    for (let part: usize = 0; part < 64; part += 16) {
      const from = (usize(block) << 6) + part;
      transpose(${rows}, message + (part << 2));
    }
${each(16, (n) => `    const m${n} = v128.load(message, ${16 * n});\n`)}
${each(8, (n) => `    let s${n} = h${n};\n`)}
${each(4, (n) => `    let s${n + 8} = i32x4.splat(IV${n});\n`)}
    let s12 = low, s13 = high, s14 = i32x4.splat(64), s15 = i32x4.splat(flag);
${rounds()}
${each(8, (n) => `    h${n} = v128.xor(s${n}, s${n + 8});\n`)}
  }
  // Back to one chaining value per input: the transposed halves are interleaved by 16 bytes.
  transpose(h0, h1, h2, h3, message);
  transpose(h4, h5, h6, h7, message + 64);
  for (let lane: usize = 0; lane < 4; lane++) {
    v128.store(out + (lane << 5), v128.load(message + (lane << 4)));
    v128.store(out + (lane << 5), v128.load(message + 64 + (lane << 4)), 16);
  }
}
`;
}
