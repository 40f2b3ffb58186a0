import { resolve } from 'node:path';
import { z } from 'zod';
import { ConfigError } from './start-error.ts';

/** What the environment says, see contract.md "Processes and commands". Optional things are absent when not set. */
export interface Config {
  readonly host: string;
  /** 0 takes a free one. */
  readonly port: number;
  /** `NODE_ENV=production`. */
  readonly production: boolean;
  /** Absent: the embedded PostgreSQL in `dataDir`. */
  readonly databaseUrl?: string;
  /** The owner's connection, which migrates; `databaseUrl` unless set by itself. */
  readonly migrateDatabaseUrl?: string;
  /** Absolute. */
  readonly dataDir: string;
  /** The origin that browsers see, without a path. */
  readonly publicUrl?: URL;
  /** A second origin for attachments. */
  readonly filesUrl?: URL;
  /** 32 bytes or more. Absent only outside production, where one is made and kept in `dataDir` (keepSecretKey). */
  readonly secretKey?: Buffer;
  readonly redisUrl?: string;
  readonly smtpUrl?: string;
  /** Host names of further push services, beside those of the browsers. */
  readonly pushHosts?: readonly string[];
  /** A push service of one's own on any address, also without TLS; for tests, never in production. */
  readonly pushTestOrigin?: URL;
  readonly s3?: S3Config;
  readonly clamdUrl?: string;
  /** False lifts rate and socket limits for load tests; never in production. */
  readonly limits: boolean;
  /** How many trusted proxies stand in front. */
  readonly proxyHops: number;
  readonly metricsToken?: string;
  /** Demo tenants, demo people, and the page that offers them. */
  readonly demo: boolean;
  readonly logLevel: LogLevel;
}

/** An S3 compatible store for attachments. */
interface S3Config {
  readonly endpoint: URL;
  readonly bucket: string;
  readonly region: string;
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
}

/** pino's levels. */
const LOG_LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'] as const;
/** How much the log tells. */
export type LogLevel = (typeof LOG_LEVELS)[number];

/**
 * Reads the configuration from environment variables. An empty variable counts as not set.
 * @throws ConfigError with one line per wrong value, each starting with the variable's name.
 */
export function readConfig(env: Readonly<Record<string, string | undefined>>): Config {
  const given = Object.fromEntries(Object.entries(env).filter(([, value]) => value !== undefined && value !== ''));
  const parsed = Environment.safeParse(given);
  if (!parsed.success) {
    throw new ConfigError(parsed.error.issues.map((issue) => `${String(issue.path[0])} ${issue.message}`).join('\n'));
  }
  const values = parsed.data;
  const production = values.NODE_ENV === 'production';
  const embedded = !values.DATABASE_URL;
  const demo = values.DEMO ?? (embedded && isLoopback(values.HOST) && !production);
  const config = withoutAbsent({
    host: values.HOST,
    port: values.PORT,
    production,
    databaseUrl: values.DATABASE_URL,
    migrateDatabaseUrl: values.MIGRATE_DATABASE_URL ?? values.DATABASE_URL,
    dataDir: resolve(values.DATA_DIR),
    publicUrl: values.PUBLIC_URL,
    filesUrl: values.FILES_URL,
    secretKey: values.SECRET_KEY,
    redisUrl: values.REDIS_URL,
    smtpUrl: values.SMTP_URL,
    pushHosts: values.PUSH_HOSTS,
    pushTestOrigin: values.PUSH_TEST_ORIGIN,
    s3: s3(values),
    clamdUrl: values.CLAMD_URL,
    limits: values.LIMITS ?? true,
    proxyHops: values.PROXY_HOPS,
    metricsToken: values.METRICS_TOKEN,
    demo,
    logLevel: values.LOG_LEVEL,
  });
  const refusals = [...(production ? productionRefusals(config) : []), ...combinationRefusals(config, values)];
  if (refusals.length > 0) throw new ConfigError(refusals.join('\n'));
  return Object.freeze(config);
}

/** What production does not start with. */
function productionRefusals(config: Config): string[] {
  return [
    !config.databaseUrl && 'DATABASE_URL is missing: NODE_ENV=production does not run on the embedded database',
    !config.secretKey && 'SECRET_KEY is missing: NODE_ENV=production needs 32 bytes or more',
    config.demo && 'DEMO must be 0 with NODE_ENV=production',
    config.pushTestOrigin && 'PUSH_TEST_ORIGIN is refused with NODE_ENV=production',
    !config.limits && 'LIMITS=off is refused with NODE_ENV=production',
  ].filter((line) => typeof line === 'string');
}

function combinationRefusals(config: Config, values: Values): string[] {
  const s3Given = S3_VARIABLES.filter((name) => values[name] !== undefined);
  const s3Missing = S3_VARIABLES.filter((name) => values[name] === undefined);
  return [
    !config.databaseUrl && config.migrateDatabaseUrl && 'MIGRATE_DATABASE_URL needs DATABASE_URL set too',
    s3Given.length > 0 && s3Missing.length > 0 && `${s3Missing[0]} is missing: ${s3Given[0]} needs it set too`,
    config.filesUrl && config.filesUrl.origin === config.publicUrl?.origin && 'FILES_URL must differ from PUBLIC_URL',
  ].filter((line) => typeof line === 'string');
}

const S3_VARIABLES = ['S3_ENDPOINT', 'S3_BUCKET', 'S3_ACCESS_KEY_ID', 'S3_SECRET_ACCESS_KEY'] as const;

function s3(values: Values): S3Config | undefined {
  const { S3_ENDPOINT, S3_BUCKET, S3_REGION, S3_ACCESS_KEY_ID, S3_SECRET_ACCESS_KEY } = values;
  if (!S3_ENDPOINT || !S3_BUCKET || !S3_ACCESS_KEY_ID || !S3_SECRET_ACCESS_KEY) return undefined;
  return Object.freeze({
    endpoint: S3_ENDPOINT,
    bucket: S3_BUCKET,
    region: S3_REGION,
    accessKeyId: S3_ACCESS_KEY_ID,
    secretAccessKey: S3_SECRET_ACCESS_KEY,
  });
}

/** True for addresses that only this machine reaches. */
function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || /^127(\.\d{1,3}){3}$/.test(host);
}

function urlOf(...protocols: string[]) {
  const names = protocols.map((protocol) => `${protocol}://…`).join(' or ');
  return z.string().transform((value, ctx) => {
    const url = URL.parse(value);
    if (url && protocols.includes(url.protocol.slice(0, -1)) && url.hostname) return url;
    ctx.issues.push({ code: 'custom', input: '', message: `must be a URL ${names}` });
    return z.NEVER;
  });
}

function originOf(...protocols: string[]) {
  return urlOf(...protocols).refine((url) => url.pathname === '/' && !url.search && !url.hash && !url.username, {
    message: 'must be an origin, without path, query or user',
  });
}

/** The text itself is kept where a library parses it. */
function urlText(...protocols: string[]) {
  const url = urlOf(...protocols);
  return z.string().refine((value) => url.safeParse(value).success, {
    message: `must be a URL ${protocols.map((protocol) => `${protocol}://…`).join(' or ')}`,
  });
}

/** A PostgreSQL URL may leave the host out (`postgres:///name?host=/run/postgresql`). */
const postgresUrl = z
  .string()
  .refine((value) => /^postgres(ql)?:\/\//.test(value) && URL.canParse(value), 'must be a URL postgres://…');

function wholeNumber(least: number, most: number) {
  const message = `must be a whole number from ${least} to ${most}`;
  return z
    .string()
    .regex(/^\d{1,9}$/, message)
    .transform(Number)
    .refine((value) => value >= least && value <= most, message);
}

const onOff = (on: string, off: string) =>
  z.enum([on, off], { error: `must be ${on} or ${off}` }).transform((value) => value === on);

const Environment = z.object({
  NODE_ENV: z.string().optional(),
  HOST: z
    .string()
    .regex(/^[A-Za-z0-9._:-]+$/, 'must be a host name or an address')
    .default('127.0.0.1'),
  PORT: wholeNumber(0, 65535).default(3000),
  DATABASE_URL: postgresUrl.optional(),
  MIGRATE_DATABASE_URL: postgresUrl.optional(),
  DATA_DIR: z.string().default('.data'),
  PUBLIC_URL: originOf('http', 'https').optional(),
  FILES_URL: originOf('http', 'https').optional(),
  SECRET_KEY: z
    .string()
    .transform((value) => Buffer.from(value, 'utf8'))
    .refine((key) => key.length >= 32, 'must have 32 bytes or more')
    .optional(),
  REDIS_URL: urlText('redis', 'rediss').optional(),
  SMTP_URL: urlText('smtp', 'smtps').optional(),
  PUSH_HOSTS: z
    .string()
    .regex(
      /^(\*\.)?[a-z0-9-]+(\.[a-z0-9-]+)+(,(\*\.)?[a-z0-9-]+(\.[a-z0-9-]+)+)*$/,
      'must be host names with commas between',
    )
    .transform((value) => value.split(','))
    .optional(),
  PUSH_TEST_ORIGIN: originOf('http', 'https').optional(),
  S3_ENDPOINT: originOf('http', 'https').optional(),
  S3_BUCKET: z.string().optional(),
  S3_REGION: z.string().default('us-east-1'),
  S3_ACCESS_KEY_ID: z.string().optional(),
  S3_SECRET_ACCESS_KEY: z.string().optional(),
  CLAMD_URL: z
    .union([urlText('tcp'), z.string().regex(/^unix:\/\/\/./)], 'must be a URL tcp://… or unix:///…')
    .optional(),
  LIMITS: onOff('on', 'off').optional(),
  PROXY_HOPS: wholeNumber(0, 10).default(0),
  METRICS_TOKEN: z.string().min(16, 'must have 16 characters or more').optional(),
  DEMO: onOff('1', '0').optional(),
  LOG_LEVEL: z.enum(LOG_LEVELS, { error: `must be one of ${LOG_LEVELS.join(', ')}` }).default('info'),
});
type Values = z.infer<typeof Environment>;

/** Drops keys without a value, so that `'s3' in config` means what it says. */
function withoutAbsent<T extends object>(value: T): T {
  // Only keys whose value is undefined go, which T allows to be absent.
  return Object.fromEntries(Object.entries(value).filter(([, entry]) => entry !== undefined)) as T;
}
