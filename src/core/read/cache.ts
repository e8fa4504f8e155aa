// A map that forgets what was used longest ago, beyond a limit on the sizes of its values.

export class Cache<Key, Value> {
  readonly #limit: number;
  readonly #onForget: (value: Value) => void;
  readonly #values = new Map<Key, { value: Value; size: number }>();
  #total = 0;

  /**
   * @param limit on the sum of the sizes; a value larger than that is not kept
   * @param onForget is given every value that is not kept any longer
   */
  constructor(limit: number, onForget: (value: Value) => void = () => {}) {
    this.#limit = limit;
    this.#onForget = onForget;
  }

  get(key: Key): Value | undefined {
    const found = this.#values.get(key);
    if (found === undefined) return undefined;
    this.#values.delete(key);
    this.#values.set(key, found);
    return found.value;
  }

  set(key: Key, value: Value, size: number): void {
    const before = this.#values.get(key);
    if (before !== undefined) this.#forget(key, before);
    this.#values.set(key, { value, size });
    this.#total += size;
    for (const [oldKey, old] of this.#values) {
      if (this.#total <= this.#limit) break;
      this.#forget(oldKey, old);
    }
  }

  #forget(key: Key, { value, size }: { value: Value; size: number }): void {
    this.#values.delete(key);
    this.#total -= size;
    this.#onForget(value);
  }
}
