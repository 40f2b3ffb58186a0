import { fileTypeFromBuffer } from 'file-type';

/** As many bytes as tell what a file is. */
export const HEAD_BYTES = 4_100;

/** Names of one thing; the second is ours. */
const ALIASES: Readonly<Record<string, string>> = {
  'audio/x-m4a': 'audio/mp4',
  'audio/ogg; codecs=opus': 'audio/ogg',
  'image/apng': 'image/png',
};

/** Pictures that are decoded and written anew; nothing else may be shown in a browser. */
const PICTURES = ['image/jpeg', 'image/png', 'image/gif', 'image/webp'];

/** Whether these are pictures of a kind that we write anew. */
export function isPicture(mediaType: string): boolean {
  return PICTURES.includes(mediaType);
}

/**
 * What a file is by its first bytes, whatever its name or its sender says; null for what nobody may send. Text is what
 * has no mark of anything else and no byte that text has not; the rest of it is looked at by `createTextCheck`.
 */
export async function mediaTypeOf(head: Buffer, allowed: readonly string[]): Promise<string | null> {
  const found = await fileTypeFromBuffer(head).catch(() => undefined);
  if (found) {
    const type = ALIASES[found.mime] ?? found.mime;
    if (allowed.includes(type)) return type;
    // one container for both; without a picture track it is sound, and sound it is called
    return type === 'video/webm' && allowed.includes('audio/webm') ? 'audio/webm' : null;
  }
  return allowed.includes('text/plain') && looksLikeText(head) ? 'text/plain' : null;
}

/** Whether this is a picture as telephones of Apple keep them, which we cannot decode. */
export function isHeic(head: Buffer): boolean {
  return (
    head.subarray(4, 8).toString('latin1') === 'ftyp' &&
    /^(heic|heix|hevc|mif1|msf1)$/.test(head.subarray(8, 12).toString('latin1'))
  );
}

/** No NUL, no `#!`; markup stays text, because nothing will ever read it as anything else. */
function looksLikeText(head: Buffer): boolean {
  if (head.length === 0 || head.includes(0) || head.subarray(0, 2).toString('latin1') === '#!') return false;
  try {
    new TextDecoder('utf-8', { fatal: true }).decode(head, { stream: true });
    return true;
  } catch {
    return false;
  }
}

/** Looks at text chunk by chunk; false for the first chunk that is none. */
export function createTextCheck(): (chunk: Buffer) => boolean {
  const decoder = new TextDecoder('utf-8', { fatal: true });
  return (chunk) => {
    if (chunk.includes(0)) return false;
    try {
      decoder.decode(chunk, { stream: true });
      return true;
    } catch {
      return false;
    }
  };
}
