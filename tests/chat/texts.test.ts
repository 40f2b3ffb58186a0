import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';

const ROOT = new URL('../..', import.meta.url).pathname;

type Texts = { readonly [key: string]: string | Texts };

const locale = (language: string): Map<string, string> =>
  new Map(flat(JSON.parse(readFileSync(join(ROOT, `views/locales/${language}.json`), 'utf8')) as Texts, ''));

function flat(texts: Texts, prefix: string): [string, string][] {
  return Object.entries(texts).flatMap(([key, value]) =>
    typeof value === 'string' ? [[prefix + key, value] as [string, string]] : flat(value, `${prefix}${key}.`),
  );
}

/** The same in both languages on purpose. */
const SAME = new Set([
  'shared.direction',
  'demo.user',
  'shared.inBengali',
  'shared.inEnglish',
  // signs and numbers
  'reports.none',
  'reports.percent',
  'reports.shareCount',
]);

const placeholders = (text: string) => [...text.matchAll(/\{\{\s*(\w+)\s*\}\}/g)].map(([, name]) => name).sort();

function keysUsedBelow(folder: string, pattern: RegExp): [file: string, key: string][] {
  return readdirSync(join(ROOT, folder), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && /\.(eta|ts)$/.test(entry.name))
    .flatMap((entry) => {
      const text = readFileSync(join(entry.parentPath, entry.name), 'utf8');
      return [...text.matchAll(pattern)].map(([, key]) => [entry.name, key] as [string, string]); // the pattern has one group
    });
}

describe('both languages are whole', () => {
  const en = locale('en');
  const bn = locale('bn');

  it('have the same keys and the same placeholders', () => {
    expect([...bn.keys()].sort()).toEqual([...en.keys()].sort());
    for (const [key, text] of en) expect([key, placeholders(bn.get(key) ?? '')]).toEqual([key, placeholders(text)]);
  });

  it('differ, but where they are meant to be the same', () => {
    const same = [...en].filter(([key, text]) => bn.get(key) === text && !SAME.has(key)).map(([key]) => key);
    expect(same).toEqual([]);
  });

  it('hold every key that a template names', () => {
    // in t('…') and in the arrays of t(['…', '…']); keys put together at run time end in a dot and are left out
    const used = keysUsedBelow('views', /\bt\(\[?'([\w.]+)'[,)\]]/g);
    expect(used.length).toBeGreaterThan(50);
    const missing = used.filter(([, key]) => !en.has(key) && !en.has(`${key}_one`));
    expect(missing).toEqual([]);
  });

  it('have a sentence for every code that an error of ours carries', () => {
    const codes = keysUsedBelow('src', /new (?:Conflict|Forbidden|TooMany|NotFound|NotSignedIn)\(\s*'(\w+)'/g);
    expect(codes.length).toBeGreaterThan(3);
    const missing = codes.filter(([, code]) => !en.has(`errors.${code}`)).map(([, code]) => code);
    // codes that only programs can meet
    const onlyPrograms = new Set(['forbidden', 'not_found', 'not_signed_in', 'too_many']);
    expect([...new Set(missing)].filter((code) => !onlyPrograms.has(code))).toEqual([]);
  });
});
