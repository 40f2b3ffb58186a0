/** `Rahim Uddin` becomes `RU`: the first letters, as people see them, of the first and the last word. */
export function initials(name: string): string {
  const words = name.trim().split(/\s+/).filter(Boolean);
  const letters = new Intl.Segmenter(undefined, { granularity: 'grapheme' });
  const first = (word: string | undefined) => (word ? ([...letters.segment(word)][0]?.segment ?? '') : '');
  return `${first(words[0])}${words.length > 1 ? first(words.at(-1)) : ''}`.toUpperCase();
}
