import { BadRequest } from '../errors/index.ts';

/** Decoded form or query fields. A key of `repeatable` holds an array, every other one string. */
export type Fields = Record<string, string | string[]>;

const NO_FIELDS: Fields = Object.freeze({});

/**
 * Parses `a=1&b=2` as browsers write it. Twice the same key is refused unless the schema takes an array there, so that
 * nobody can guess which one counts (T-HX7); so are bytes that are not UTF-8 and `__proto__`. `a[b]` is just a name.
 */
export function parseFields(text: string, repeatable: ReadonlySet<string>): Fields {
  if (text === '') return NO_FIELDS;
  const fields: Fields = {};
  for (const pair of text.split('&')) {
    if (pair === '') continue;
    const equals = pair.indexOf('=');
    const key = decode(equals < 0 ? pair : pair.slice(0, equals));
    const value = equals < 0 ? '' : decode(pair.slice(equals + 1));
    if (key === '__proto__') throw new BadRequest('unknown_field', 'A field is not known here.');
    const earlier = Object.hasOwn(fields, key) ? fields[key] : undefined;
    if (repeatable.has(key)) fields[key] = [...(Array.isArray(earlier) ? earlier : []), value];
    else if (earlier === undefined) fields[key] = value;
    else throw new BadRequest('duplicate_field', 'A field is given more than once.');
  }
  return fields;
}

function decode(text: string): string {
  if (!text.includes('%')) return text.replaceAll('+', ' ');
  try {
    return decodeURIComponent(text.replaceAll('+', ' '));
  } catch {
    throw new BadRequest('not_parseable', 'The request could not be understood.');
  }
}
