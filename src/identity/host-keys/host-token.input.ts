import { z } from 'zod';
import { normaliseEmail } from '../users/normalise-email.ts';

/** `aud` of every host token. */
export const AUDIENCE = 'safego-support';
/** A token may live for so long at most, by its own `iat` and `exp`. */
export const MAX_LIFETIME_SECONDS = 300;
/** How far the host's clock and ours may differ. */
export const MAX_SKEW_SECONDS = 60;
/** What the details panel may be given, as JSON. */
const MAX_PROFILE_BYTES = 8_192;

/** One line of text: no control characters, no lone surrogates, not empty, not endless. */
function line(max: number) {
  return z
    .string()
    .max(max)
    .refine((value) => value.isWellFormed() && !/[\u0000-\u001f\u007f]/.test(value), { message: 'text' })
    .transform((value) => value.trim())
    .refine((value) => value.length > 0, { message: 'empty' });
}

/** Optional claims may be absent, null or empty. */
function optional<T>(schema: z.ZodType<T, string>) {
  return z
    .union([z.literal('').transform(() => null), z.null(), schema])
    .optional()
    .transform((value) => value ?? null);
}

const seconds = z.int().min(0).max(253_402_300_799);
/** An id is taken as it stands: trimmed ids would make one person of two. */
const exactId = (max: number) =>
  z
    .string()
    .min(1)
    .max(max)
    .refine((value) => value.isWellFormed() && !/[\u0000-\u001f\u007f]/.test(value), { message: 'text' });

/** The only members a header may have; `jku`, `jwk`, `x5u`, `crit` and everything else is refused. */
export const HostTokenHeader = z.strictObject({
  alg: z.enum(['HS256', 'RS256', 'ES256']),
  typ: z.string().regex(/^jwt$/i).optional(),
  kid: z.string().min(1).max(100).optional(),
});

export type HostTokenHeader = z.output<typeof HostTokenHeader>;

/** The claims of a host token; others are ignored. */
export const HostTokenClaims = z.object({
  iss: exactId(200),
  aud: z.literal(AUDIENCE),
  sub: exactId(200),
  tenant: z.string().min(1).max(63),
  user_type: z.string().min(1).max(40),
  name: line(200),
  iat: seconds,
  exp: seconds,
  nbf: seconds.optional(),
  jti: exactId(200),
  email: optional(z.string().max(320).transform(normaliseEmail).pipe(z.email())),
  phone: optional(line(40)),
  country: optional(
    z
      .string()
      .regex(/^[A-Za-z]{2}$/)
      .transform((value) => value.toUpperCase()),
  ),
  locale: optional(
    z
      .string()
      .regex(/^[A-Za-z]{2,3}(?:[-_][A-Za-z0-9]{2,8})*$/)
      .max(35)
      .transform((value) => value.replaceAll('_', '-')),
  ),
  profile: z
    .record(z.string(), z.unknown())
    .refine(isStorable, { message: 'profile' })
    .nullish()
    .transform((value) => value ?? null),
  context: z
    .strictObject({ type: line(60), id: line(200), label: line(200) })
    .nullish()
    .transform((value) => value ?? null),
});

export type HostTokenClaims = z.output<typeof HostTokenClaims>;

/** JSON that PostgreSQL can hold: not too large, no NUL, no lone surrogate. */
function isStorable(value: unknown): boolean {
  const json = JSON.stringify(value);
  return Buffer.byteLength(json) <= MAX_PROFILE_BYTES && !/\\u(?:0000|d[89a-f][0-9a-f]{2})/i.test(json);
}
