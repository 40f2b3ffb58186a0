import { hash, randomBytes } from 'node:crypto';

const TOKEN_BYTES = 32;

/** A new random token of 256 bits; `prefix` says what it is to whoever finds it lying about (`sgs_`, `sgp_`). */
export function newSecretToken(prefix: string): string {
  return prefix + randomBytes(TOKEN_BYTES).toString('base64url');
}

/** True for what `newSecretToken(prefix)` makes; everything else needs no look into the database. */
export function isSecretToken(prefix: string, value: unknown): value is string {
  return (
    typeof value === 'string' &&
    value.length === prefix.length + 43 &&
    value.startsWith(prefix) &&
    /^[\w-]{43}$/.test(value.slice(prefix.length))
  );
}

/** What is stored of a token. No salt: 256 random bits are not guessed. */
export function tokenHash(token: string): Buffer {
  return hash('sha256', token, 'buffer');
}
