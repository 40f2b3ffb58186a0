import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { messageText, messageView, type StoredMessage } from '../../src/messaging/index.ts';

const text = fc.oneof(fc.string({ unit: 'binary' }), fc.string({ unit: 'grapheme' }), fc.constant('"}\\\n\u2028<b>'));
const time = fc.date({ min: new Date('2020-01-01'), max: new Date('2100-01-01'), noInvalidDate: true });
const orNull = <T>(one: fc.Arbitrary<T>) => fc.option(one, { nil: null, freq: 1 });

const message: fc.Arbitrary<StoredMessage> = fc.record({
  id: fc.uuid(),
  tenantId: fc.uuid(),
  conversationId: fc.uuid(),
  seq: fc.nat(),
  version: fc.nat(),
  firstVersion: fc.nat(),
  senderType: fc.constantFrom('user' as const, 'admin' as const, 'system' as const),
  senderId: orNull(fc.uuid()),
  senderName: orNull(text),
  senderUserType: orNull(fc.constantFrom('driver', 'customer', 'ADMIN')),
  messageType: fc.constantFrom('text', 'system'),
  event: orNull(fc.constantFrom('assigned', 'closed')),
  data: orNull(
    fc.constantFrom(
      { adminName: 'Ayesha', adminId: 'x' },
      { reactions: [{ reaction: 'thanks', side: 'admin', by: 'x', name: 'Ayesha' }] },
    ),
  ),
  body: orNull(text),
  replyToId: orNull(fc.uuid()),
  clientId: fc.uuid(),
  createdAt: time,
  editedAt: orNull(time),
  deletedAt: orNull(time),
});

describe('a message as text', () => {
  it('is the JSON of its view, whatever is in it, for both sides', () => {
    let plain = 0;
    fc.assert(
      fc.property(message, fc.constantFrom('user' as const, 'staff' as const), fc.nat(), (one, audience, read) => {
        if (one.data === null && one.deletedAt === null) plain += 1;
        const marks = { userReadSeq: read, staffReadSeq: read };
        expect(messageText(one, audience, marks)).toBe(JSON.stringify(messageView(one, audience, marks)));
      }),
      { numRuns: 2_000, seed: 11 },
    );
    // the quick way is meant, not the other one
    expect(plain).toBeGreaterThan(200);
  });
});
