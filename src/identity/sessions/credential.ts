import type { IncomingHttpHeaders } from 'node:http';

/** How a session's token came: a cookie, which other sites can make a browser send, or a header, which they cannot. */
export interface Credential {
  readonly token: string;
  readonly via: 'cookie' | 'bearer';
}

/** Name and attributes of the session cookie. */
export interface SessionCookie {
  readonly name: string;
  /** The `Set-Cookie` value that stores a token until `expiresAt`. */
  set(token: string, expiresAt: Date): string;
  /** The `Set-Cookie` value that forgets it. */
  clear(): string;
  /** Bearer header or cookie of a request; null when there is none, or when it is not clear which. */
  credentialOf(headers: IncomingHttpHeaders): Credential | null;
}

/** The cookie for an app that browsers reach under `publicUrl`: `__Host-` and Secure where that is https. */
export function sessionCookie(publicUrl: URL | undefined): SessionCookie {
  const isSecure = publicUrl?.protocol === 'https:';
  const name = isSecure ? '__Host-safego' : 'safego';
  const attributes = `Path=/; HttpOnly; SameSite=Lax${isSecure ? '; Secure' : ''}`;
  return {
    name,
    set: (token, expiresAt) => `${name}=${token}; Expires=${expiresAt.toUTCString()}; ${attributes}`,
    clear: () => `${name}=; Expires=Thu, 01 Jan 1970 00:00:00 GMT; ${attributes}`,
    credentialOf(headers) {
      if (headers.authorization !== undefined) {
        const token = /^Bearer +([\w.~+/-]+=*)$/i.exec(headers.authorization)?.[1];
        // a header that we do not understand does not fall back to the cookie
        return token ? { token, via: 'bearer' } : null;
      }
      const token = cookieValue(headers.cookie ?? '', name);
      return token ? { token, via: 'cookie' } : null;
    },
  };
}

/** Two cookies of the name: somebody on a neighbouring domain has set one; neither is believed. */
function cookieValue(header: string, name: string): string | null {
  const values = new Set<string>();
  for (const part of header.split(';')) {
    const equals = part.indexOf('=');
    if (equals > 0 && part.slice(0, equals).trim() === name) values.add(part.slice(equals + 1).trim());
  }
  const [value] = values;
  return values.size === 1 && value ? value : null;
}
