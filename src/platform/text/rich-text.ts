import sanitizeHtml from 'sanitize-html';
import { escapeHtml, type SafeHtml } from './escape.ts';

/** Longer texts are shown without links: cleaning is quadratic in what it is given (libraries.md). */
export const RICH_TEXT_MAX_LENGTH = 16_384;

// no quotes, brackets, white space or direction marks: a link never looks like another one
const LINK = /\bhttps?:\/\/[^\s<>"'`{}|\\^\u0000-\u001f\u007f\u200b-\u200f\u2028-\u202e\u2066-\u2069]+/gi;
const TRAILING = new Set('.,;:!?*_~]…।');

/**
 * A message's text as HTML: escaped, line breaks kept, http and https addresses as links. What we made is cleaned once
 * more when the text holds markup or a link; plain text cannot carry anything and skips that.
 */
export function richText(body: string): SafeHtml {
  if (body.length > RICH_TEXT_MAX_LENGTH) return kept(lineBreaks(escapeHtml(body)));
  const links = body.includes('://') ? linkified(body) : null;
  const html = lineBreaks(links ?? escapeHtml(body));
  return kept(links !== null || body.includes('<') ? cleaned(html) : html);
}

/** Null when nothing in it is a link. */
function linkified(body: string): string | null {
  let html = '';
  let from = 0;
  for (const match of body.matchAll(LINK)) {
    const address = withoutTrailingMarks(match[0]);
    const host = webHost(address);
    if (host === null) continue;
    html += escapeHtml(body.slice(from, match.index));
    const safe = escapeHtml(address);
    // letters of other alphabets can look like those of a bank: shown beside is what the address really says (T-RN4)
    const real = host.startsWith('xn--') || host.includes('.xn--') ? ` title="${escapeHtml(host)}"` : '';
    html += `<a href="${safe}" target="_blank" rel="noopener noreferrer nofollow ugc"${real}>${safe}</a>`;
    from = match.index + address.length;
  }
  return from === 0 ? null : html + escapeHtml(body.slice(from));
}

/** A full stop, or a closing bracket that was opened before the address, belongs to the sentence. One pass. */
function withoutTrailingMarks(found: string): string {
  let surplus = found.split(')').length - found.split('(').length;
  let end = found.length;
  for (; end > 0; end -= 1) {
    const last = found.charAt(end - 1);
    if (last === ')' && surplus > 0) surplus -= 1;
    else if (!TRAILING.has(last)) break;
  }
  return found.slice(0, end);
}

/** Null for what is no address of the web. */
function webHost(address: string): string | null {
  const url = URL.parse(address);
  const isWeb = url !== null && (url.protocol === 'http:' || url.protocol === 'https:');
  return isWeb && url.hostname !== '' ? url.hostname : null;
}

function lineBreaks(html: string): string {
  return html.includes('\n') ? html.replaceAll('\n', '<br>') : html;
}

/** A lone return would reach the page as a line feed. */
function kept(html: string): SafeHtml {
  return html.includes('\r') ? html.replaceAll('\r', '&#13;') : html;
}

/** Never `data-*`, `id`, `name`, `class` or `style`: htmx would act on some of them. */
function cleaned(html: string): SafeHtml {
  return sanitizeHtml(html, {
    allowedTags: ['a', 'br'],
    allowedAttributes: { a: ['href', 'target', 'rel', 'title'] },
    allowedSchemes: ['http', 'https'],
    allowProtocolRelative: false,
    disallowedTagsMode: 'escape',
  });
}
