/** Header names and values in turn, as `writeHead` takes them: made once, copied into every answer. */
export interface HeadTemplates {
  readonly page: readonly string[];
  /** Pieces that htmx asks for: never a document of their own, so what steers documents stays away (300 bytes less). */
  readonly fragment: readonly string[];
  readonly json: readonly string[];
  readonly asset: readonly string[];
  /** The service worker: its own policy decides what it may fetch. */
  readonly worker: readonly string[];
}

/**
 * What every answer carries (T-DP1, T-DP2). The policy allows nothing inline and needs no nonce; `https` says whether
 * browsers reach us so, `filesOrigin` is where attachments may come from.
 */
export function createHeadTemplates(options: { https: boolean; filesOrigin?: string }): HeadTemplates {
  const files = options.filesOrigin ? ` ${options.filesOrigin}` : '';
  const pagePolicy = [
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
    "frame-ancestors 'none'",
  ].join('; ');
  const dataPolicy = "default-src 'none'; frame-ancestors 'none'";
  const always = [
    ...['X-Content-Type-Options', 'nosniff'],
    // not `no-referrer`: with it browsers send `Origin: null` with our own forms
    ...['Referrer-Policy', 'same-origin'],
    ...['Cross-Origin-Opener-Policy', 'same-origin'],
    ...['Cross-Origin-Resource-Policy', 'same-origin'],
    ...['Permissions-Policy', 'camera=(), geolocation=(), microphone=(), payment=(), usb=()'],
    ...['X-Frame-Options', 'DENY'],
    ...(options.https ? ['Strict-Transport-Security', 'max-age=63072000; includeSubDomains'] : []),
  ];
  const private_ = ['Cache-Control', 'no-store'];
  const varied = [...private_, 'Vary', 'HX-Request, HX-Request-Type, Cookie'];
  const piece = [
    ...['X-Content-Type-Options', 'nosniff'],
    ...['Cross-Origin-Resource-Policy', 'same-origin'],
    ...(options.https ? ['Strict-Transport-Security', 'max-age=63072000; includeSubDomains'] : []),
  ];
  return {
    page: ['Content-Security-Policy', pagePolicy, ...always, ...varied],
    fragment: ['Content-Security-Policy', dataPolicy, ...piece, ...varied],
    json: ['Content-Security-Policy', dataPolicy, ...always, ...private_],
    asset: ['Content-Security-Policy', dataPolicy, ...always],
    worker: ['Content-Security-Policy', `${dataPolicy}; connect-src 'self'`, ...always],
  };
}
