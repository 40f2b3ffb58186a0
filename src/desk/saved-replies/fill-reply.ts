/** What a saved reply is filled with. */
export interface ReplyValues {
  readonly customer: string;
  readonly agent: string;
  /** What `conversationNumber` gives. */
  readonly conversation: string;
}

/**
 * Puts names in the place of `{{customer}}`, `{{agent}}` and `{{conversation}}`. That is the whole language: anything
 * else between braces stays as it was typed, and what was put in is not looked at again.
 */
export function filledReply(body: string, values: ReplyValues): string {
  return body.replace(/\{\{(customer|agent|conversation)\}\}/g, (_, name: keyof ReplyValues) => values[name]);
}

/** Short enough to be read out on the phone, and found by search on the whole id: the id's last eight digits. */
export function conversationNumber(id: string): string {
  return id.slice(-8).toUpperCase();
}
