const BASE = 'http://self.invalid';
const MAX_LENGTH = 2_000;

/**
 * The path to go to when it is one on this server, otherwise `fallback` (a constant). Refuses what browsers read as
 * another host or scheme (`//evil`, `/\evil`, tabs and line ends inside, `javascript:`), and gives back the normalised
 * form, so that what was checked is what is sent (T-ID11).
 */
export function safeRedirect(to: unknown, fallback: string): string {
  if (typeof to !== 'string' || to.length > MAX_LENGTH) return fallback;
  if (!to.startsWith('/') || to.startsWith('//') || /[\\\u0000-\u0020\u007f-\u009f\u2028\u2029]/.test(to))
    return fallback;
  const url = URL.parse(to, BASE);
  if (!url || url.origin !== BASE || url.pathname.startsWith('//')) return fallback;
  return `${url.pathname}${url.search}${url.hash}`;
}
