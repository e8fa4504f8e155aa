// CRC-32 (IEEE 802.3, reflected), eight bytes a step by eight tables, which the caller keeps.

const POLYNOMIAL: u32 = 0xedb88320;
const TABLES: i32 = 8;

/** Bytes of the tables. */
export const CRC32_SCRATCH: i32 = TABLES * 1024;

/** Fills the tables. */
export function crc32Init(tables: usize): void {
  for (let byte: u32 = 0; byte < 256; byte++) {
    let value = byte;
    for (let bit = 0; bit < 8; bit++) value = (value >> 1) ^ (value & 1 ? POLYNOMIAL : 0);
    store<u32>(tables + (usize(byte) << 2), value);
  }
  for (let byte: u32 = 0; byte < 256; byte++) {
    let value = load<u32>(tables + (usize(byte) << 2));
    for (let table = 1; table < TABLES; table++) {
      value = (value >> 8) ^ load<u32>(tables + (usize(value & 255) << 2));
      store<u32>(tables + (usize(table) << 10) + (usize(byte) << 2), value);
    }
  }
}

// @ts-ignore: decorator
@inline
function at(tables: usize, table: usize, byte: u64): u32 {
  return load<u32>(tables + (table << 10) + (usize(byte & 255) << 2));
}

/** Goes on from the checksum `crc` of what came before; 0 at the start. */
export function crc32(crc: u32, src: usize, length: i32, tables: usize): u32 {
  let value = ~crc;
  let p = src;
  const end = src + usize(length);
  while (p + 8 <= end) {
    const word = load<u64>(p) ^ u64(value);
    value =
      at(tables, 7, word) ^ at(tables, 6, word >> 8) ^ at(tables, 5, word >> 16) ^ at(tables, 4, word >> 24) ^
      at(tables, 3, word >> 32) ^ at(tables, 2, word >> 40) ^ at(tables, 1, word >> 48) ^ at(tables, 0, word >> 56);
    p += 8;
  }
  while (p < end) {
    value = (value >> 8) ^ load<u32>(tables + (usize((value ^ u32(load<u8>(p))) & 255) << 2));
    p += 1;
  }
  return ~value;
}
