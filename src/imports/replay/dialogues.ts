import { readFile } from 'node:fs/promises';
import { z } from 'zod';

/** Who spoke in a recorded dialogue. */
export type Side = 'user' | 'agent';

/** One recorded dialogue: turns in the order in which they were spoken. */
export interface Dialogue {
  readonly id: string;
  readonly services: readonly string[];
  readonly turns: readonly { readonly from: Side; readonly text: string }[];
}

/** Other fields are somebody else's business. */
const dialogueSchema = z.object({
  id: z.union([z.string(), z.number()]).transform(String),
  services: z.array(z.string()).default([]),
  turns: z.array(z.object({ from: z.enum(['user', 'agent']), text: z.string() })),
});

/**
 * Reads dialogues from a file of JSON lines; blank lines are skipped.
 * @param limit how many at most
 * @throws Error when the file cannot be read, or one that names the line which is no dialogue
 */
export async function readDialogues(file: string, limit = Number.POSITIVE_INFINITY): Promise<Dialogue[]> {
  const lines = (await readFile(file, 'utf8')).split('\n').map((line, index) => ({ line, number: index + 1 }));
  return lines
    .filter(({ line }) => line.trim() !== '')
    .slice(0, limit)
    .map(({ line, number }) => parseDialogue(line, `${file}:${number}`));
}

function parseDialogue(line: string, place: string): Dialogue {
  try {
    return dialogueSchema.parse(JSON.parse(line));
  } catch (error) {
    const why = error instanceof z.ZodError ? z.prettifyError(error) : String(error);
    throw new Error(`${place} is no dialogue: ${why}`);
  }
}

/** The text as the contract says that it is stored: as typed, after CRLF → LF. */
export function asStored(text: string): string {
  return text.replaceAll('\r\n', '\n');
}

/** True for what the contract refuses to store: nothing at all, NUL, half a character, or more than any tenant allows. */
export function isRefusable(text: string): boolean {
  return text.trim() === '' || text.includes('\0') || !text.isWellFormed() || [...text].length > 4_000;
}
