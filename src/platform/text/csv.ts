/** What a spreadsheet would run as a formula, also behind quotes, a byte order mark, or in full-width letters. */
const FORMULA = /^[\s"'\uFEFF\u200B]*[=+\-@\t\r\n\0|%\uFF1D\uFF0B\uFF0D\uFF20]/;

/**
 * One line of CSV (RFC 4180), with its line end. A cell that a spreadsheet could take for a formula begins with an
 * apostrophe instead (OWASP ASVS 1.2.10); NUL is left out.
 */
export function csvLine(cells: readonly string[]): string {
  return `${cells.map(cell).join(',')}\r\n`;
}

function cell(text: string): string {
  const plain = text.replaceAll('\0', '');
  const safe = FORMULA.test(text) ? `'${plain}` : plain;
  return /[",\r\n]/.test(safe) || safe !== safe.trim() ? `"${safe.replaceAll('"', '""')}"` : safe;
}
