import { expect, it } from 'vitest';
import { askedRooms } from '../../src/platform/realtime/index.ts';

it('gives each room its own cursor, and a room beyond the last one lends it to nobody', () => {
  const query = Array.from({ length: 25 }, (_, at) => `room=r${at}${at > 19 ? `&after=${at}` : ''}`).join('&');
  const asked = askedRooms(query, 'e');
  expect(asked.map(({ room }) => room)).toEqual(Array.from({ length: 20 }, (_, at) => `r${at}`));
  expect(asked.every(({ after }) => after === null)).toBe(true);
  expect(askedRooms('room=a&after=3&room=b', 'e')).toEqual([
    { room: 'a', after: { epoch: 'e', version: 3 } },
    { room: 'b', after: null },
  ]);
});
