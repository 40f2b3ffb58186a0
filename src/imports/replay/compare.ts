import type { HeldConversation } from './held-conversations.ts';
import type { Played } from './journal.ts';

/**
 * Compares what was sent and acknowledged with what is held: the same texts byte for byte, by the same side, under the
 * same client ids, at the places that the acknowledgements named; numbers without gaps; closed if it was closed.
 * @param where names the reader in the lines, e.g. `REST`
 * @returns one line a difference
 */
export function compareWithHeld(played: Played, held: HeldConversation | undefined, where: string): string[] {
  if (!held) return [`${where}: the conversation is not there`];
  const acknowledged = played.turns.filter(({ seq }) => seq !== undefined);
  const texts = held.messages.filter(({ messageType }) => messageType !== 'system');
  return [
    ...(played.closed && held.status !== 'closed' ? ['is not closed'] : []),
    ...gaps(held),
    ...(texts.length === acknowledged.length ? [] : [`holds ${texts.length} of ${acknowledged.length} messages`]),
    ...acknowledged.flatMap((turn, index) => {
      const message = texts[index];
      if (!message) return [`turn ${turn.clientId} is lost`];
      const differs = [
        message.clientId !== turn.clientId && 'client id',
        message.seq !== turn.seq && 'place',
        message.senderType !== (turn.from === 'user' ? 'user' : 'admin') && 'sender',
        !sameBytes(message.body, turn.text) && 'text',
        message.read === false && 'read mark',
      ].filter((what) => what !== false);
      return differs.length > 0 ? [`message ${message.seq} differs: ${differs.join(', ')}`] : [];
    }),
  ].map((line) => `${where}: ${line}`);
}

/** Places must be 1, 2, 3 … up to the conversation's last. */
function gaps({ messages, lastSeq }: HeldConversation): string[] {
  const wrong = messages.filter(({ seq }, index) => seq !== index + 1);
  return [
    ...(wrong.length > 0 ? [`numbers are not 1, 2, 3 …: ${wrong[0]?.seq} is out of place`] : []),
    ...(messages.length === lastSeq ? [] : [`last number is ${lastSeq}, but ${messages.length} messages are there`]),
  ];
}

function sameBytes(held: string | null, sent: string): boolean {
  return held !== null && Buffer.from(held).equals(Buffer.from(sent));
}
