import type { z } from 'zod';
import type { LogPage, LogWindow } from '../messaging/index.ts';
import { BadRequest } from '../platform/errors/index.ts';
import type { MessageListQuery } from './message.schema.ts';

/** The part of the log that a query asks for. @throws BadRequest `bad_cursor`. */
export function logWindow(query: z.output<typeof MessageListQuery>): LogWindow {
  if (query.after !== undefined) return { after: query.after };
  if (query.before !== undefined) return { before: query.before };
  if (query.changedAfter !== undefined) return { changedAfter: query.changedAfter };
  return query.cursor === undefined ? { newest: true } : readCursor(query.cursor);
}

/** Where the next page in the same direction begins; null at the end. */
export function nextCursor(window: LogWindow, { items, hasMore }: LogPage): string | null {
  const first = items[0];
  const last = items.at(-1);
  if (!hasMore || !first || !last) return null;
  if ('after' in window) return writeCursor('a', last.seq);
  if ('changedAfter' in window) return writeCursor('v', last.version);
  return writeCursor('b', first.seq);
}

function writeCursor(direction: 'a' | 'b' | 'v', place: number): string {
  return Buffer.from(`${direction}${place}`).toString('base64url');
}

function readCursor(cursor: string): LogWindow {
  const [, direction, digits] = /^([abv])(\d{1,9})$/.exec(Buffer.from(cursor, 'base64url').toString()) ?? [];
  const place = Number(digits);
  if (direction === 'a') return { after: place };
  if (direction === 'b') return { before: place };
  if (direction === 'v') return { changedAfter: place };
  throw new BadRequest('bad_cursor', 'This cursor is not one of ours.');
}
