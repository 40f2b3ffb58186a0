/** Name and attributes of the cookie that holds a browser's session token. */
export interface SessionCookie {
  readonly name: string;
  /** Holds a sign-in that waits for an answer ("somebody else is signed in here"). */
  readonly pendingName: string;
  /** The `Set-Cookie` value that stores a token until `expiresAt`, under `name` unless said otherwise. */
  set(token: string, expiresAt: Date, name?: string): string;
  /** The `Set-Cookie` value that forgets it. */
  clear(name?: string): string;
}

/** The cookie for an app that browsers reach under `publicUrl`: `__Host-` and Secure where that is https. */
export function sessionCookie(publicUrl: URL | undefined): SessionCookie {
  const isSecure = publicUrl?.protocol === 'https:';
  const ownName = isSecure ? '__Host-safego' : 'safego';
  const attributes = `Path=/; HttpOnly; SameSite=Lax${isSecure ? '; Secure' : ''}`;
  return {
    name: ownName,
    pendingName: `${ownName}-next`,
    set: (token, expiresAt, name = ownName) => `${name}=${token}; Expires=${expiresAt.toUTCString()}; ${attributes}`,
    clear: (name = ownName) => `${name}=; Expires=Thu, 01 Jan 1970 00:00:00 GMT; ${attributes}`,
  };
}
