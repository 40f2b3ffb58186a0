/** Endings that fit a type; the first is added where a name has none of them. */
const ENDINGS: Readonly<Record<string, readonly string[]>> = {
  'image/jpeg': ['jpg', 'jpeg', 'jpe'],
  'image/png': ['png'],
  'image/gif': ['gif'],
  'image/webp': ['webp'],
  'application/pdf': ['pdf'],
  'text/plain': ['txt', 'log', 'csv', 'md'],
  'audio/mpeg': ['mp3'],
  'audio/mp4': ['m4a', 'mp4'],
  'audio/ogg': ['ogg', 'oga', 'opus'],
  'audio/webm': ['weba', 'webm'],
  'video/mp4': ['mp4', 'm4v'],
  'video/webm': ['webm'],
};
const MAX_CHARACTERS = 100;
const MAX_ENDING = 8;
/** Controls, and what turns the direction of text or cannot be seen: `photo<RLO>gnp.exe` would read as a picture. */
const UNSEEN = /[\p{Cc}\p{Cf}\p{Cs}\p{Co}\p{Cn}\u2028\u2029]/gu;
/** What no file system of a reader should be given. */
const NOT_IN_NAMES = /[\\/:*?"<>|]/g;
const RESERVED = /^(con|prn|aux|nul|com\d|lpt\d)$/i;

/**
 * A name to show and to save under, made from the one that somebody gave: the last part of a path, without what cannot
 * be seen, with an ending that fits what the bytes are. Never used to find a file (T-AT3).
 */
export function displayName(given: string, mediaType: string): string {
  const last = given.slice(0, 4_096).split(/[\\/]/).at(-1) ?? '';
  const clean = last
    .toWellFormed()
    .normalize('NFC')
    .replace(UNSEEN, '')
    .replace(NOT_IN_NAMES, '_')
    .replace(/\s+/g, ' ')
    .replace(/^[\s.]+|[\s.]+$/g, '');
  const fitting = ENDINGS[mediaType] ?? ['bin'];
  const [, stem = clean, ending = ''] = /^(.*)\.([^.]*)$/.exec(clean) ?? [];
  const isFitting = ending.length <= MAX_ENDING && fitting.includes(ending.toLowerCase());
  const name = [...(isFitting ? stem : clean)].slice(0, MAX_CHARACTERS).join('').trim();
  const named = name === '' || RESERVED.test(name.split('.')[0] ?? '') ? `file${name && `-${name}`}` : name;
  return `${named}.${isFitting ? ending : fitting[0]}`;
}

/** `Content-Disposition` by RFC 6266: an ASCII name for old readers, the real one percent-encoded (RFC 8187). */
export function contentDisposition(kind: 'inline' | 'attachment', fileName: string): string {
  const plain = fileName.replace(/[^\x20-\x7e]/g, '_').replace(/["\\%]/g, '_');
  const encoded = encodeURIComponent(fileName).replace(
    /['()*]/g,
    (sign) => `%${sign.charCodeAt(0).toString(16).toUpperCase()}`,
  );
  return `${kind}; filename="${plain}"; filename*=UTF-8''${encoded}`;
}
