import type { Cursor } from './room.ts';

const MAX_VERSION = 2_147_483_647;

/**
 * Reads `<epoch>:<version>` or a bare version, which means today's epoch. A cursor is a position, never an authority:
 * null for everything else (negative, too large, other signs), which then counts as no cursor at all.
 */
export function parseCursor(text: string | number | null | undefined, today: string): Cursor | null {
  if (typeof text === 'number') return isVersion(text) ? { epoch: today, version: text } : null;
  const found = /^(?:([\w-]{1,40}):)?(\d{1,10})$/.exec(text ?? '');
  if (!found) return null;
  const version = Number(found[2]);
  return isVersion(version) ? { epoch: found[1] ?? today, version } : null;
}

/** The cursor as clients keep it. */
export function cursorText(epoch: string, version: number): string {
  return `${epoch}:${version}`;
}

function isVersion(value: number): boolean {
  return Number.isInteger(value) && value >= 0 && value <= MAX_VERSION;
}
