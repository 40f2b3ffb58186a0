import { Invalid } from '../../platform/errors/index.ts';
import { normaliseText } from '../../platform/text/index.ts';

/** No tenant may allow more characters than this in one message. */
export const MAX_MESSAGE_LENGTH = 8_000;

/**
 * A typed text as it is stored: CRLF to LF, otherwise unchanged.
 * @throws Invalid naming `field` when it is empty, cannot be stored, or is longer than any tenant allows.
 */
export function checkedText(typed: string, field = 'body'): string {
  const normal = normaliseText(typed);
  if (!normal.ok) throw new Invalid({ [field]: normal.reason });
  if (normal.text.trim() === '') throw new Invalid({ [field]: 'required' });
  if (isLongerThan(normal.text, MAX_MESSAGE_LENGTH)) throw new Invalid({ [field]: 'too_long' });
  return normal.text;
}

/** Counts characters as people do (code points), and stops counting at the limit. */
export function isLongerThan(text: string, limit: number): boolean {
  if (text.length <= limit) return false;
  if (text.length > 2 * limit) return true;
  let characters = 0;
  for (const _ of text) {
    characters += 1;
    if (characters > limit) return true;
  }
  return false;
}
