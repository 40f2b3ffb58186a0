/** Names of languages by ISO 639 codes in the reader's language, with commas between; a code without a name stays. */
export function languagesInWords(readersLanguage: string, codes: readonly string[]): string {
  return codes.map((code) => languageInWords(readersLanguage, code)).join(', ');
}

/** Name of a language in the reader's language. */
export function languageInWords(readersLanguage: string, code: string): string {
  return new Intl.DisplayNames([readersLanguage], { type: 'language', fallback: 'code' }).of(code) ?? code;
}
