/** Header names and values in turn, as `writeHead` takes them: made once, copied into every answer. */
export interface HeadTemplates {
  readonly page: readonly string[];
  /** The same for a page that these origins may show in a frame; `page` for none. */
  framed(origins: readonly string[]): readonly string[];
  /** Pieces that htmx asks for: never a document of their own, so what steers documents stays away (300 bytes less). */
  readonly fragment: readonly string[];
  readonly json: readonly string[];
  readonly asset: readonly string[];
  /** The service worker: its own policy decides what it may fetch. */
  readonly worker: readonly string[];
  /** The script that pages of host apps load. */
  readonly entry: readonly string[];
}

/** One exact origin, and nothing that a policy would read as more: no wildcard, no second word, no end of a directive. */
const ORIGIN = /^https?:\/\/(?:[a-z0-9.-]+|\[[0-9a-f:.]+\])(?::\d{1,5})?$/;

/**
 * What every answer carries (T-DP1, T-DP2). The policy allows nothing inline and needs no nonce; `https` says whether
 * browsers reach us so, `filesOrigin` is where attachments may come from.
 */
export function createHeadTemplates(options: { https: boolean; filesOrigin?: string }): HeadTemplates {
  const files = options.filesOrigin ? ` ${options.filesOrigin}` : '';
  const framing = (ancestors: string) => [
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    `img-src 'self' blob:${files}`,
    "font-src 'self'",
    "connect-src 'self'",
    `media-src 'self' blob:${files}`,
    "manifest-src 'self'",
    "worker-src 'self'",
    "frame-src 'none'",
    "form-action 'self'",
    "base-uri 'none'",
    "object-src 'none'",
    `frame-ancestors ${ancestors}`,
  ];
  const pagePolicy = (ancestors: string) => ['Content-Security-Policy', framing(ancestors).join('; ')];
  const dataPolicy = "default-src 'none'; frame-ancestors 'none'";
  const always = [
    ...['X-Content-Type-Options', 'nosniff'],
    // not `no-referrer`: with it browsers send `Origin: null` with our own forms
    ...['Referrer-Policy', 'same-origin'],
    ...['Cross-Origin-Opener-Policy', 'same-origin'],
    ...['Cross-Origin-Resource-Policy', 'same-origin'],
    ...['Permissions-Policy', 'camera=(), geolocation=(), microphone=(), payment=(), usb=()'],
    ...(options.https ? ['Strict-Transport-Security', 'max-age=63072000; includeSubDomains'] : []),
  ];
  // for browsers that do not know frame-ancestors; the others go by that
  const unframed = [...always, 'X-Frame-Options', 'DENY'];
  const private_ = ['Cache-Control', 'no-store'];
  const varied = [...private_, 'Vary', 'HX-Request, HX-Request-Type, Cookie'];
  const piece = [
    ...['X-Content-Type-Options', 'nosniff'],
    ...['Cross-Origin-Resource-Policy', 'same-origin'],
    ...(options.https ? ['Strict-Transport-Security', 'max-age=63072000; includeSubDomains'] : []),
  ];
  const page = [...pagePolicy("'none'"), ...unframed, ...varied];
  return {
    page,
    framed(origins) {
      const ancestors = origins.filter((origin) => ORIGIN.test(origin));
      return ancestors.length === 0 ? page : [...pagePolicy(ancestors.join(' ')), ...always, ...varied];
    },
    fragment: ['Content-Security-Policy', dataPolicy, ...piece, ...varied],
    json: ['Content-Security-Policy', dataPolicy, ...unframed, ...private_],
    asset: ['Content-Security-Policy', dataPolicy, ...unframed],
    worker: ['Content-Security-Policy', `${dataPolicy}; connect-src 'self'`, ...unframed],
    entry: replaced(
      ['Content-Security-Policy', dataPolicy, ...unframed],
      'Cross-Origin-Resource-Policy',
      'cross-origin',
    ),
  };
}

function replaced(head: readonly string[], name: string, value: string): string[] {
  return head.map((one, index) => (index % 2 === 1 && head[index - 1] === name ? value : one));
}
