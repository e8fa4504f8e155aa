// Copying. Where memory is shared, `set` and `copyWithin` of JavaScript go byte by byte unless both places are aligned alike.

export function copy(src: usize, length: i32, dst: usize): void {
  memory.copy(dst, src, usize(length));
}
