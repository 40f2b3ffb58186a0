/** What people of a kind write about, as keys of `chat.topic.*`; those of no known kind choose among the last ones. */
const TOPICS: Readonly<Record<string, readonly string[]>> = {
  driver: ['trip', 'earnings', 'account', 'safety', 'other'],
  customer: ['order', 'payment', 'account', 'safety', 'other'],
  restaurant: ['order', 'payout', 'menu', 'account', 'other'],
};
const GENERAL = ['account', 'other'];

/** The topics that this kind of user may choose. */
export function topicsOf(userType: string): readonly string[] {
  return (Object.hasOwn(TOPICS, userType) && TOPICS[userType]) || GENERAL;
}

/** The topic of a form; null for none, or for one that these people cannot choose. */
export function chosenTopic(userType: string, topic: string | undefined): string | null {
  return topic !== undefined && topicsOf(userType).includes(topic) ? topic : null;
}

/** True for a key that has a word of its own; other topics come from programs and are shown as they are. */
export function isKnownTopic(topic: string): boolean {
  return GENERAL.includes(topic) || Object.values(TOPICS).some((list) => list.includes(topic));
}
