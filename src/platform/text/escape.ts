/** HTML that is safe to put into a page as it is. Only made by functions that escaped or cleaned it. */
export type SafeHtml = string & { readonly __safeHtml?: never };

/** Text for element content and for quoted attributes alike. */
export function escapeHtml(text: string): SafeHtml {
  if (!/[&<>"']/.test(text)) return text;
  return text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;')
    .replaceAll("'", '&#39;');
}
