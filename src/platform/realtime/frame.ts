import type { Connection, Frame } from './room.ts';

/** A frame from its text; `cursor` when it moves a log. */
export function frameOf(text: string, cursor: Frame['cursor'] = null): Frame {
  return { text, cursor, bytes: null };
}

/** Sends one text to one connection. */
export function sendText(connection: Connection, text: string): void {
  connection.send(frameOf(text));
}
