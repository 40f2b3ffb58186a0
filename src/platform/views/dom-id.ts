/** A DOM id from constants and ids: `domId('c', conversationId)` is `c-<uuid>`. Throws on anything else than `[\w-]`. */
export function domId(...parts: readonly (string | number)[]): string {
  const id = parts.join('-');
  if (!/^[A-Za-z][\w-]*$/.test(id)) throw new Error(`Not a DOM id: ${JSON.stringify(id)}`);
  return id;
}
