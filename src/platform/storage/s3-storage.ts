import { createReadStream } from 'node:fs';
import { type IncomingMessage, request as requestHttp } from 'node:http';
import { request as requestHttps } from 'node:https';
import { pipeline } from 'node:stream/promises';
import { EMPTY_HASH, queryText, type S3Request, type Signer, signedHeaders } from './aws-signature.ts';
import type { StagedFile } from './staging.ts';
import {
  type ByteRange,
  checkedPath,
  isStoragePath,
  newStoragePath,
  type Storage,
  type StoredFile,
  storageAway,
} from './storage.ts';

/** An S3 compatible store; the bucket is addressed by path and must be private. */
export interface S3Options extends Signer {
  readonly endpoint: URL;
  readonly bucket: string;
}

/** A store that says nothing for so long does not answer. */
const SILENCE_MS = 10_000;
/** One that takes a file drop by drop has so long for all of it. */
const LONGEST_PUT_MS = 60_000;
const PREFIX = 'files/';

/** Files as objects below `files/` of a bucket. Every request is signed, bodies included. */
export function openS3Storage(options: S3Options): Storage {
  const { endpoint, bucket } = options;

  function send(
    method: S3Request['method'],
    key: string | null,
    {
      query = {},
      headers = {},
      file,
    }: { query?: Record<string, string>; headers?: Record<string, string>; file?: StagedFile } = {},
  ): Promise<IncomingMessage> {
    const path = key === null ? `/${bucket}` : `/${bucket}/${PREFIX}${checkedPath(key)}`;
    const request = { method, host: endpoint.host, path, query, bodyHash: file?.sha256 ?? EMPTY_HASH };
    const search = queryText(query);
    return new Promise((resolve, reject) => {
      const call = (endpoint.protocol === 'https:' ? requestHttps : requestHttp)(endpoint, {
        method,
        path: search ? `${path}?${search}` : path,
        headers: {
          ...signedHeaders(request, options, new Date()),
          ...headers,
          ...(file ? { 'content-length': file.size, 'content-type': 'application/octet-stream' } : {}),
        },
        timeout: SILENCE_MS,
      });
      let answered: IncomingMessage | undefined;
      const deadline = setTimeout(
        () => call.destroy(new Error('the store is slow')),
        file ? LONGEST_PUT_MS : SILENCE_MS,
      );
      call.on('response', (answer) => {
        clearTimeout(deadline);
        answered = answer;
        resolve(answer);
      });
      call.on('timeout', () => {
        // what is here and was not read yet waits for its reader, on a slow line
        if (answered && answered.readableLength > 0) call.socket?.setTimeout(SILENCE_MS);
        else call.destroy(new Error('the store is silent'));
      });
      call.on('error', (error) => {
        clearTimeout(deadline);
        reject(storageAway(error.message));
      });
      if (file) pipeline(createReadStream(file.localPath), call).catch((error: Error) => call.destroy(error));
      else call.end();
    });
  }

  /** The status of an answer whose body nobody needs. */
  async function status(answer: IncomingMessage): Promise<number> {
    answer.resume();
    return answer.statusCode ?? 0;
  }

  async function open(path: string, range?: ByteRange): Promise<IncomingMessage> {
    const answer = await send('GET', path, {
      headers: range ? { range: `bytes=${range.from}-${range.to}` } : {},
    });
    if (answer.statusCode === (range ? 206 : 200)) return answer;
    throw refused('GET', await status(answer));
  }

  return {
    async put(file) {
      const path = newStoragePath();
      const code = await status(await send('PUT', path, { file }));
      if (code !== 200) throw refused('PUT', code);
      await file.discard();
      return path;
    },

    open,

    async send(path, range) {
      const answer = await open(path, range);
      return { to: (sink) => pipeline(answer, sink), close: () => void answer.destroy() };
    },

    async stat(path) {
      const answer = await send('HEAD', path);
      const code = await status(answer);
      if (code === 404) return null;
      if (code !== 200) throw refused('HEAD', code);
      const { 'content-length': size, 'last-modified': modified } = answer.headers;
      return { path, size: Number(size), modifiedAt: new Date(modified ?? 0) };
    },

    async remove(path) {
      const code = await status(await send('DELETE', path));
      if (code !== 204 && code !== 200 && code !== 404) throw refused('DELETE', code);
    },

    async *list() {
      for (let token: string | undefined; ; ) {
        const query = { 'list-type': '2', prefix: PREFIX, ...(token ? { 'continuation-token': token } : {}) };
        const answer = await send('GET', null, { query });
        if (answer.statusCode !== 200) throw refused('LIST', await status(answer));
        let xml = '';
        for await (const text of answer.setEncoding('utf8') as AsyncIterable<string>) xml += text;
        yield* listed(xml);
        token = /<NextContinuationToken>([^<]+)</.exec(xml)?.[1]?.replaceAll('&amp;', '&');
        if (!token) return;
      }
    },
  };
}

/** Our own keys are plain words, so the few elements that matter need no XML parser. */
function* listed(xml: string): Iterable<StoredFile> {
  for (const [, one = ''] of xml.matchAll(/<Contents>(.*?)<\/Contents>/gs)) {
    const member = (name: string) => new RegExp(`<${name}>([^<]*)<`).exec(one)?.[1] ?? '';
    const path = member('Key').slice(PREFIX.length);
    if (isStoragePath(path)) yield { path, size: Number(member('Size')), modifiedAt: new Date(member('LastModified')) };
  }
}

function refused(what: string, status: number): Error {
  return storageAway(`the store answered ${status} to ${what}`);
}
