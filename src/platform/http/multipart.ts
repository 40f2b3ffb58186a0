import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import type { Readable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import busboy from 'busboy';
import { AppError, BadRequest, UnsupportedType } from '../errors/index.ts';

/** A file of a form, on its way. */
export interface FilePart {
  /** What the sender calls it; the last part of a path at most. Empty when the form's field was left empty. */
  readonly fileName: string;
  readonly stream: Readable;
}

/** What a form may hold. */
export interface MultipartForm {
  /** Name of the field that holds files, and how many there may be. */
  readonly fileField: string;
  readonly maxFiles: number;
  /** Names of the other fields, each at most once. */
  readonly fields: readonly string[];
  /** Names of fields that may come several times. */
  readonly repeatable?: readonly string[];
  readonly maxFieldBytes?: number;
}

/** How often a repeatable field may come. */
const MAX_REPEATS = 20;

const BUFFER_BYTES = 16 * 1024;
const MAX_FIELD_BYTES = 1_000;
/** The longest text that is typed into a form: 8,000 characters, and whatever is longer to be told so. */
export const MAX_TEXT_BYTES = 96 * 1024;
/** A browser hears an answer only when it has sent its body: so much of what nobody wants is still read, and so long. */
const LINGER_BYTES = 64 * 1024 * 1024;
const LINGER_MS = 5_000;

/**
 * Reads `multipart/form-data` (RFC 7578) part by part, by busboy: unlike formidable (koa-body's parser) it hands out the
 * stream and writes nothing itself, so a file is looked at before a byte of it is on the disk. `take` gets each file while it arrives and must read its stream.
 * To be called when it is known who sends and that they may. What `take` throws ends the reading and is thrown again.
 * @returns the fields, and what `take` gave, in order; also of files that were taken before something failed, `onFailure`
 *   is told what they gave, so that nothing stays behind. `fields` is filled as they come: what was typed is there also
 *   when a file is refused.
 * @throws UnsupportedType for another content type, BadRequest for what cannot be parsed, is unknown or comes twice.
 */
export async function readMultipart<T>(
  request: IncomingMessage,
  form: MultipartForm,
  take: (part: FilePart) => Promise<T>,
  onFailure: (taken: T) => Promise<void>,
  fields: Record<string, string | string[]> = {},
): Promise<{ fields: Record<string, string | string[]>; files: T[] }> {
  const parser = createParser(request, form);
  const { repeatable = [] } = form;
  const taking: Promise<T>[] = [];
  const { promise: parsed, resolve, reject } = Promise.withResolvers<void>();

  parser.on('field', (name, value, { valueTruncated }) => {
    const earlier = Object.hasOwn(fields, name) ? fields[name] : [];
    if (repeatable.includes(name) && Array.isArray(earlier) && !valueTruncated) fields[name] = [...earlier, value];
    else if (!form.fields.includes(name)) reject(new BadRequest('unknown_field', 'A field is not known here.'));
    else if (Object.hasOwn(fields, name) || valueTruncated) reject(notParseable());
    else fields[name] = value;
  });
  parser.on('file', (name, stream, { filename }) => {
    // busboy reports a broken body here too; whoever reads the stream hears of it
    stream.on('error', () => {});
    if (name !== form.fileField) reject(new BadRequest('unknown_field', 'A field is not known here.'));
    const taken = take({ fileName: filename ?? '', stream });
    taking.push(taken);
    taken.catch(reject);
  });
  for (const limit of ['partsLimit', 'filesLimit', 'fieldsLimit'] as const) {
    parser.on(limit, () => reject(new BadRequest('too_many_fields', 'There are more fields than this form has.')));
  }
  parser.on('error', () => reject(notParseable()));
  parser.on('close', resolve);
  request.on('close', () => request.readableEnded || reject(notParseable()));
  request.pipe(parser);

  try {
    await parsed;
    return { fields, files: await Promise.all(taking) };
  } catch (error) {
    request.unpipe(parser);
    parser.destroy();
    for (const taken of await Promise.allSettled(taking)) {
      if (taken.status === 'fulfilled') await onFailure(taken.value);
    }
    await readToItsEnd(request);
    throw error instanceof AppError ? error : (error ?? notParseable());
  }
}

/**
 * The fields of a form whose files nobody wants: those are read over. For a body that is not too large to be read to its end.
 * @throws what `readMultipart` throws, UnsupportedType for a larger one.
 */
export async function readFieldsAlone(
  request: IncomingMessage,
  fields: readonly string[],
  repeatable: readonly string[],
): Promise<Record<string, string | string[]>> {
  if (!(Number(request.headers['content-length']) <= LINGER_BYTES)) throw new UnsupportedType();
  const form = { fileField: 'file', maxFiles: MAX_REPEATS, fields, repeatable, maxFieldBytes: MAX_TEXT_BYTES };
  const read = await readMultipart(
    request,
    form,
    async ({ stream }) => void stream.resume(),
    async () => {},
  );
  return read.fields;
}

/** Whether a body comes as `multipart/form-data`. */
export function isMultipart({ headers }: IncomingMessage): boolean {
  return /^multipart\/form-data\s*(;|$)/i.test(headers['content-type'] ?? '');
}

function createParser(request: IncomingMessage, form: MultipartForm): busboy.Busboy {
  const { headers } = request;
  const encoding = headers['content-encoding'];
  if (encoding !== undefined && encoding !== 'identity') {
    throw new UnsupportedType('unsupported_encoding', 'Compressed bodies are not accepted.');
  }
  if (!isMultipart(request)) throw new UnsupportedType();
  try {
    return busboy({
      headers,
      defParamCharset: 'utf8',
      // two hundred forms at once each have these
      highWaterMark: BUFFER_BYTES,
      fileHwm: BUFFER_BYTES,
      limits: {
        files: form.maxFiles,
        fields: mostFields(form),
        parts: form.maxFiles + mostFields(form),
        fieldSize: form.maxFieldBytes ?? MAX_FIELD_BYTES,
        fieldNameSize: 100,
        headerPairs: 20,
      },
    });
  } catch {
    throw notParseable();
  }
}

function mostFields({ fields, repeatable }: MultipartForm): number {
  return fields.length + 1 + (repeatable?.length ?? 0) * MAX_REPEATS;
}

/** So that the sentence of a refusal arrives: a connection that is closed in mid-body shows the sender an error of its own. */
async function readToItsEnd(request: IncomingMessage): Promise<void> {
  if (request.readableEnded || request.destroyed) return;
  let left = LINGER_BYTES;
  request.on('data', (chunk: Buffer) => {
    left -= chunk.length;
    if (left < 0) request.pause();
  });
  request.resume();
  const ended = once(request, 'end').catch(() => {});
  await Promise.race([ended, once(request, 'close'), sleep(LINGER_MS, undefined, { ref: false })]);
}

function notParseable(): BadRequest {
  return new BadRequest('not_parseable', 'The request could not be understood.');
}
