// A hex dump as docs/format.md prints it in its examples: offset, 16 bytes, the same as text.

/** Sixteen bytes a line: the offset in hexadecimal, the bytes, and the printable ones (a dot for each other byte). */
export function hexdump(bytes: Uint8Array): string[] {
  const lines: string[] = [];
  const digits = Math.max(4, (bytes.length - 1).toString(16).length);
  for (let start = 0; start < bytes.length; start += 16) {
    const line = bytes.subarray(start, start + 16);
    const hex = [...line].map((byte) => byte.toString(16).padStart(2, "0"));
    const left = hex.slice(0, 8).join(" ");
    const right = hex.slice(8).join(" ");
    const text = [...line].map((byte) => (byte >= 0x20 && byte < 0x7f ? String.fromCharCode(byte) : ".")).join("");
    lines.push(`${start.toString(16).padStart(digits, "0")}  ${left.padEnd(23)}  ${right.padEnd(23)}  ${text}`);
  }
  return lines;
}
