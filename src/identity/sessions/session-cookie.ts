import { readCookie } from '../../platform/http/index.ts';

/** Name and attributes of the cookie that holds a browser's session token. */
export interface SessionCookie {
  readonly name: string;
  /** Holds a sign-in that waits for an answer ("somebody else is signed in here"). */
  readonly pendingName: string;
  /** The `Set-Cookie` value that stores a token until `expiresAt`, under `name` unless said otherwise. */
  set(token: string, expiresAt: Date, name?: string): string;
  /** The `Set-Cookie` value that forgets it. */
  clear(name?: string): string;
  /** The session of the chat in a host's frame. */
  readonly frame: FrameCookie;
  /** Whoever asks with this Cookie header: as a window of its own, otherwise as a frame. */
  read(header: string | undefined): string | undefined;
}

/**
 * In a frame of another site browsers keep a Lax cookie back. This one is sent there, and only there: partitioned, it
 * belongs to frames in that one site. It names the tenant, so that a page whose session has ended still knows who may
 * frame it.
 */
export interface FrameCookie {
  set(token: string, tenantSlug: string, expiresAt: Date): string;
  read(header: string | undefined): { readonly token: string; readonly tenantSlug: string } | null;
}

/** It outlives its session, so that the page that says "signed out" is shown in the frame too. */
const AFTERLIFE_MS = 180 * 24 * 3_600_000;

/** Of any cookie that a page in a frame keeps. `Secure` holds on a loopback address without TLS too. */
export const FRAME_ATTRIBUTES = 'SameSite=None; Secure; Partitioned';

/** The cookie for an app that browsers reach under `publicUrl`: `__Host-` and Secure where that is https. */
export function sessionCookie(publicUrl: URL | undefined): SessionCookie {
  const isSecure = publicUrl?.protocol === 'https:';
  const ownName = isSecure ? '__Host-safego' : 'safego';
  const frameName = `${ownName}-frame`;
  const attributes = `Path=/; HttpOnly; SameSite=Lax${isSecure ? '; Secure' : ''}`;
  const frame: FrameCookie = {
    set(token, tenantSlug, expiresAt) {
      const expires = new Date(expiresAt.getTime() + AFTERLIFE_MS).toUTCString();
      return `${frameName}=${tenantSlug}.${token}; Expires=${expires}; Path=/; HttpOnly; ${FRAME_ATTRIBUTES}`;
    },
    read(header) {
      const [, tenantSlug, token] =
        /^([a-z0-9-]{1,63})\.([\w-]{1,100})$/.exec(readCookie(header, frameName) ?? '') ?? [];
      return tenantSlug !== undefined && token !== undefined ? { tenantSlug, token } : null;
    },
  };
  return {
    name: ownName,
    pendingName: `${ownName}-next`,
    set: (token, expiresAt, name = ownName) => `${name}=${token}; Expires=${expiresAt.toUTCString()}; ${attributes}`,
    clear: (name = ownName) => `${name}=; Expires=Thu, 01 Jan 1970 00:00:00 GMT; ${attributes}`,
    frame,
    read: (header) => readCookie(header, ownName) ?? frame.read(header)?.token,
  };
}
