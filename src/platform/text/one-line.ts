/** A text of several lines as one: what is between words becomes one space. */
export function oneLine(text: string): string {
  return text.replaceAll(/\s+/g, ' ');
}
