import { randomFillSync } from 'node:crypto';

const HEX = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, '0'));
const COUNTER_MAX = 0x0fff;
const POOL_BYTES = 8 * 512;

/**
 * Makes UUIDv7s (RFC 9562, method 1: a 12-bit counter after the milliseconds), so that ids made by one process grow
 * even within a millisecond and when the clock steps back. `now` in milliseconds; tests pass their own.
 */
export function createIds(now: () => number = Date.now): () => string {
  const pool = new Uint8Array(POOL_BYTES);
  let taken = POOL_BYTES;
  let millisecond = 0;
  let counter = 0;

  return function newId() {
    if (taken === POOL_BYTES) {
      randomFillSync(pool);
      taken = 0;
    }
    const random = taken;
    taken += 8;
    const time = now();
    if (time > millisecond) {
      millisecond = time;
      // starts in the lower half, which leaves room to count up within the millisecond
      counter = (byteAt(pool, random) << 3) | (byteAt(pool, random + 1) & 7);
    } else if (counter < COUNTER_MAX) {
      counter += 1;
    } else {
      // 4,096 ids in one millisecond: borrow the next one
      millisecond += 1;
      counter = 0;
    }
    const high = Math.floor(millisecond / 0x10000);
    const low = millisecond % 0x10000;
    return (
      `${hex(high >>> 24)}${hex(high >>> 16)}${hex(high >>> 8)}${hex(high)}-${hex(low >>> 8)}${hex(low)}` +
      `-${hex(0x70 | (counter >>> 8))}${hex(counter)}` +
      `-${hex(0x80 | (byteAt(pool, random) & 0x3f))}${hex(byteAt(pool, random + 1))}` +
      `-${hex(byteAt(pool, random + 2))}${hex(byteAt(pool, random + 3))}${hex(byteAt(pool, random + 4))}` +
      `${hex(byteAt(pool, random + 5))}${hex(byteAt(pool, random + 6))}${hex(byteAt(pool, random + 7))}`
    );
  };
}

function byteAt(bytes: Uint8Array, index: number): number {
  return bytes[index] ?? 0;
}

function hex(value: number): string {
  return HEX[value & 0xff] ?? '';
}

/** A new UUIDv7; ids made by this process sort in the order in which they were made. */
export const newId: () => string = createIds();
