import type { IncomingMessage } from 'node:http';
import { Forbidden } from '../errors/index.ts';

/** What the check needs to know of the request beside its headers. */
export interface WriteOrigin {
  /** The origin that browsers see; without it the Host header stands for it. */
  readonly publicOrigin: string | null;
  /** True when the request carries our session cookie. */
  readonly hasCookie: boolean;
  /** True when it carries a bearer token, which no foreign page can make a browser send. */
  readonly hasBearer: boolean;
}

/**
 * Writes come from our own pages only (T-HX1): by Sec-Fetch-Site, else by Origin. Without either it is no browser of
 * today; such a request may not use a cookie. Throws 403 `cross_site`.
 */
export function refuseCrossSiteWrites(request: IncomingMessage, origin: WriteOrigin): void {
  if (origin.hasBearer && !origin.hasCookie) return;
  const { headers } = request;
  const site = headers['sec-fetch-site'];
  const allowed =
    site !== undefined
      ? site === 'same-origin'
      : headers.origin !== undefined
        ? isOwnOrigin(headers.origin, origin.publicOrigin, headers.host)
        : !origin.hasCookie;
  if (!allowed) throw new Forbidden('cross_site', 'This may only be sent from our own pages.');
}

/** True when an Origin header names this server: the public origin when it is set, otherwise the request's host. */
export function isOwnOrigin(origin: string, publicOrigin: string | null, host: string | undefined): boolean {
  if (publicOrigin !== null) return origin === publicOrigin;
  return host !== undefined && (origin === `http://${host}` || origin === `https://${host}`);
}
