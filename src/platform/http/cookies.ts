/**
 * A cookie's value. Undefined when a name comes twice with different values: then somebody on a neighbouring domain has
 * set one (T-ID7), and neither is believed. No decoding: our values are tokens and language codes.
 */
export function readCookie(header: string | undefined, name: string): string | undefined {
  if (!header) return undefined;
  let found: string | undefined;
  for (const part of header.split(';')) {
    const equals = part.indexOf('=');
    if (equals <= 0 || part.slice(0, equals).trim() !== name) continue;
    const value = part.slice(equals + 1).trim();
    if (found !== undefined && found !== value) return undefined;
    found = value;
  }
  return found;
}
