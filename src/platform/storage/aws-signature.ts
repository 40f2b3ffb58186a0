import { createHash, createHmac } from 'node:crypto';

/** Who signs, for which place. */
export interface Signer {
  readonly region: string;
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
}

/** A request to S3 before it is signed. */
export interface S3Request {
  readonly method: 'GET' | 'PUT' | 'HEAD' | 'DELETE';
  readonly host: string;
  /** Of segments that need no escaping. */
  readonly path: string;
  readonly query?: Readonly<Record<string, string>>;
  /** SHA-256 of the body, hex. */
  readonly bodyHash: string;
}

/** SHA-256 of nothing. */
export const EMPTY_HASH: string = sha256('');

/**
 * Headers that sign a request, AWS Signature Version 4 (docs.aws.amazon.com, "Create a signed AWS API request"). The
 * body's hash is part of what is signed, so a store keeps what we sent or nothing.
 */
export function signedHeaders(request: S3Request, signer: Signer, now: Date): Record<string, string> {
  const at = now.toISOString().replace(/[-:]|\.\d{3}/g, '');
  const scope = `${at.slice(0, 8)}/${signer.region}/s3/aws4_request`;
  const headers = { host: request.host, 'x-amz-content-sha256': request.bodyHash, 'x-amz-date': at };
  const names = Object.keys(headers).join(';');
  const canonical = [
    request.method,
    request.path,
    queryText(request.query ?? {}),
    ...Object.entries(headers).map(([name, value]) => `${name}:${value}`),
    '',
    names,
    request.bodyHash,
  ].join('\n');
  const key = [at.slice(0, 8), signer.region, 's3', 'aws4_request'].reduce(
    (secret: Buffer | string, part) => hmac(secret, part),
    `AWS4${signer.secretAccessKey}`,
  );
  const signature = hmac(key, ['AWS4-HMAC-SHA256', at, scope, sha256(canonical)].join('\n')).toString('hex');
  return {
    ...headers,
    authorization: `AWS4-HMAC-SHA256 Credential=${signer.accessKeyId}/${scope}, SignedHeaders=${names}, Signature=${signature}`,
  };
}

/** Sorted and escaped as S3 does before it compares signatures. */
export function queryText(query: Readonly<Record<string, string>>): string {
  return Object.keys(query)
    .sort()
    .map((name) => `${escaped(name)}=${escaped(query[name] ?? '')}`)
    .join('&');
}

function escaped(text: string): string {
  return encodeURIComponent(text).replace(/[!'()*]/g, (sign) => `%${sign.charCodeAt(0).toString(16).toUpperCase()}`);
}

function hmac(key: Buffer | string, text: string): Buffer {
  return createHmac('sha256', key).update(text).digest();
}

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}
