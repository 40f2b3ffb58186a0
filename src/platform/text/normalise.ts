/** The text to store, or the code of what it may not hold. */
export type NormalisedText =
  | { readonly ok: true; readonly text: string }
  | { readonly ok: false; readonly reason: 'nul' | 'lone_surrogate' };

/**
 * CRLF becomes LF; everything else stays as typed. NUL (PostgreSQL cannot store it) and lone surrogates (no UTF-8
 * form) are refused.
 */
export function normaliseText(typed: string): NormalisedText {
  if (typed.includes('\0')) return { ok: false, reason: 'nul' };
  if (!typed.isWellFormed()) return { ok: false, reason: 'lone_surrogate' };
  return { ok: true, text: typed.includes('\r\n') ? typed.replaceAll('\r\n', '\n') : typed };
}
