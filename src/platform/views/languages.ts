import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInstance } from 'i18next';

/** The languages the product speaks; the first is what everybody gets who speaks none of them. */
const LANGUAGES = ['en', 'bn'] as const;
export type Language = (typeof LANGUAGES)[number];

/** Sentences by language. Keys are dotted paths into views/locales/<language>.json. */
export interface Languages {
  /**
   * `values` fill `{{name}}`; `count` chooses the plural form. Of several keys the first that somebody wrote; one that
   * nobody wrote comes back as it is.
   */
  translate(language: Language, key: string | readonly string[], values?: Readonly<Record<string, unknown>>): string;
}

/** Reads every `<language>.json` of the folder. A missing folder or language has no sentences. */
export async function openLanguages(folder: string): Promise<Languages> {
  const i18n = createInstance();
  await i18n.init({
    lng: 'en',
    fallbackLng: 'en',
    supportedLngs: LANGUAGES,
    resources: Object.fromEntries(
      LANGUAGES.map((language) => [language, { translation: sentences(folder, language) }]),
    ),
    // Eta escapes what it writes; escaping twice would show &amp;
    interpolation: { escapeValue: false },
  });
  const fixed = new Map(LANGUAGES.map((language) => [language, i18n.getFixedT(language)]));
  const plain = new Map(LANGUAGES.map((language) => [language, new Map<string, string>()]));

  return {
    translate(language, key, values) {
      const sentence = fixed.get(language);
      const keys = typeof key === 'string' ? key : [...key];
      if (!sentence) return String(key);
      if (values) return sentence(keys, { ...values });
      const name = String(key);
      const known = plain.get(language)?.get(name);
      if (known !== undefined) return known;
      const found = sentence(keys);
      // keys come from templates and message codes, so there are only so many; strange ones are not kept
      if (found !== name) plain.get(language)?.set(name, found);
      return found;
    },
  };
}

function sentences(folder: string, language: Language): Record<string, unknown> {
  let files: string[];
  try {
    files = readdirSync(folder);
  } catch {
    return {};
  }
  return files.includes(`${language}.json`) ? JSON.parse(readFileSync(join(folder, `${language}.json`), 'utf8')) : {};
}

/** True for a language we have, by its two letters. */
function isLanguage(value: unknown): value is Language {
  return LANGUAGES.includes(value as Language); // `includes` takes only members; the question is whether it is one
}

/**
 * The language of an answer: what the person chose here (`lang` cookie), what their profile says, what their browser
 * asks for (RFC 9110 Accept-Language, by weight), English.
 */
export function preferredLanguage(wishes: {
  readonly cookie?: string | undefined;
  readonly locale?: string | null | undefined;
  readonly acceptLanguage?: string | undefined;
}): Language {
  return primary(wishes.cookie) ?? primary(wishes.locale) ?? accepted(wishes.acceptLanguage) ?? LANGUAGES[0];
}

function primary(tag: string | null | undefined): Language | undefined {
  const language = tag?.split(/[-_]/, 1)[0]?.trim().toLowerCase();
  return isLanguage(language) ? language : undefined;
}

function accepted(header: string | undefined): Language | undefined {
  if (!header) return undefined;
  let best: Language | undefined;
  let bestWeight = 0;
  for (const part of header.slice(0, 200).split(',')) {
    const [tag, ...parameters] = part.split(';');
    const language = primary(tag);
    const given = parameters.find((parameter) => parameter.trim().startsWith('q='));
    const weight = given ? Number(given.trim().slice(2)) : 1;
    if (language && weight > bestWeight) {
      best = language;
      bestWeight = weight;
    }
  }
  return best;
}
