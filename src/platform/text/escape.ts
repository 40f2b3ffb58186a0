/** HTML that is safe to put into a page as it is. Only made by functions that escaped or cleaned it. */
export type SafeHtml = string & { readonly __safeHtml?: never };

const ESCAPES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

/** Text for element content and for quoted attributes alike. */
export function escapeHtml(text: string): SafeHtml {
  return /[&<>"']/.test(text) ? text.replace(/[&<>"']/g, (character) => ESCAPES[character] ?? '') : text;
}
