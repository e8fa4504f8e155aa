// A map that forgets what was used longest ago, beyond a limit on the sizes of its values.

export class Cache<Key, Value> {
  readonly #limit: number;
  readonly #values = new Map<Key, { value: Value; size: number }>();
  #total = 0;

  /** @param limit on the sum of the sizes; a value larger than that is not kept */
  constructor(limit: number) {
    this.#limit = limit;
  }

  get(key: Key): Value | undefined {
    const found = this.#values.get(key);
    if (found === undefined) return undefined;
    this.#values.delete(key);
    this.#values.set(key, found);
    return found.value;
  }

  set(key: Key, value: Value, size: number): void {
    if (size > this.#limit) return;
    this.#total += size - (this.#values.get(key)?.size ?? 0);
    this.#values.delete(key);
    this.#values.set(key, { value, size });
    for (const [oldKey, old] of this.#values) {
      if (this.#total <= this.#limit) break;
      this.#values.delete(oldKey);
      this.#total -= old.size;
    }
  }
}
