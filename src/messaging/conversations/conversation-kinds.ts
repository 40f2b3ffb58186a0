import type { Person } from '../../identity/index.ts';
import type { Conversation } from './conversation.entity.ts';

/** What a kind of conversation declares; the core asks and knows no kind by name. */
export interface ConversationKind {
  readonly name: string;
  /** Whether a user's open conversation of this kind is used again instead of opening a second one. */
  readonly reusesOpen: boolean;
  mayStart(person: Person): boolean;
  /** Rights and ownership only; people who were added as participants are asked for separately. */
  mayRead(person: Person, conversation: Pick<Conversation, 'openedBy'>): boolean;
  mayAnswer(person: Person): boolean;
}

/** A user talks with the platform's staff. Staff see all of them; users only their own. */
const support: ConversationKind = {
  name: 'support',
  reusesOpen: true,
  mayStart: (person) => person.side === 'user',
  mayRead: (person, conversation) =>
    person.side === 'admin' ? person.can('VIEW_SUPPORT_CHAT_LIST') : conversation.openedBy === person.id,
  mayAnswer: (person) => person.side === 'user' || person.can('REPLY_SUPPORT_CHAT'),
};

const KINDS: ReadonlyMap<string, ConversationKind> = new Map([support].map((kind) => [kind.name, kind]));

/** The kind of that name, or null: kinds of later versions are nobody's until they are declared. */
export function conversationKind(name: string): ConversationKind | null {
  return KINDS.get(name) ?? null;
}
