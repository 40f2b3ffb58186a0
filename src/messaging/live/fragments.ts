import { escapeHtml } from '../../platform/text/index.ts';

/** The other side has read as far as this; the page marks the messages up to it. */
export function seenFragment(seq: number): string {
  return seq > 0 ? `<hx-seen hx-target="#messages" seq="${seq}"></hx-seen>` : '';
}

/** Somebody writes, has a file that is being checked, or neither any more; the page makes the sentence and lets it expire. */
export function typingFragment(name: string, side: 'user' | 'admin', on: boolean | 'checking' | 'checked'): string {
  return `<hx-typing hx-target="#typing" name="${escapeHtml(name)}" side="${side}" on="${on}"></hx-typing>`;
}

/** The page loads this region again by its own GET: the live channel is a hint. Targets are constants. */
export function reloadFragment(target: '#conversation-state' | '#unread-badge'): string {
  return `<hx-reload hx-target="${target}"></hx-reload>`;
}

/** A conversation of the desk's list changed; the page asks for its row with the filters it shows. */
export function changedFragment(conversationId: string, what: string): string {
  return `<hx-changed conversation="${conversationId}" what="${what}"></hx-changed>`;
}
