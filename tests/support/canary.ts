import { appendFileSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import pg from 'pg';

/**
 * Nothing personal in logs and audit rows, over the whole run: every text, file name, email and phone number that the
 * tests' traffic left in the database is searched in everything that servers logged and in every audit row, and so is
 * whatever looks like a token, an address or a link. The run fails when one is found.
 */

/** Where something was found that must not be there, with what surrounds it. */
export interface Finding {
  readonly where: string;
  readonly what: string;
  readonly around: string;
}

/** Shorter ones are words that stand everywhere. */
const MIN_LENGTH = 12;
/** Of a long text its beginning is enough. */
const MAX_LENGTH = 200;

/** What people wrote and who they are, by the tables that keep it. */
const PLANTED = [
  `select distinct left(body, ${MAX_LENGTH}) as text from messages where length(body) >= ${MIN_LENGTH}`,
  `select distinct left(body, ${MAX_LENGTH}) as text from conversation_notes where length(body) >= ${MIN_LENGTH}`,
  `select distinct left(comment, ${MAX_LENGTH}) as text from conversation_ratings where length(comment) >= ${MIN_LENGTH}`,
  `select distinct left(body, ${MAX_LENGTH}) as text from saved_replies where length(body) >= ${MIN_LENGTH}`,
  `select distinct left(subject, ${MAX_LENGTH}) as text from conversations where length(subject) >= ${MIN_LENGTH}`,
  `select distinct file_name as text from attachments where length(file_name) >= ${MIN_LENGTH}`,
  `select distinct email as text from users where length(email) >= ${MIN_LENGTH}`,
  `select distinct phone as text from users where length(phone) >= ${MIN_LENGTH}`,
];

const WRITTEN = [
  `select distinct concat_ws(' ', action, entity_type, entity_id, actor_id, metadata::text) as text from audit_log`,
  `select distinct concat_ws(' ', job, counts::text, error_code) as text from job_runs`,
];

/** What nobody planted by name and must not stand there either. */
const SHAPES: Readonly<Record<string, RegExp>> = {
  'a JSON web token': /\beyJ[\w-]{8,}\.eyJ[\w-]{8,}\.[\w-]{8,}/g,
  'a session token': /\bsg[a-z]_[\w-]{43}(?![\w-])/g,
  'a file’s signed address': /(?<![\w-])[A-Za-z0-9_-]{116}(?![\w-])/g,
  'an email address': /[\w.+-]+@[\w-]+(?:\.[\w-]+)*\.(?:com|org|net|example|test)\b/g,
  'a phone number': /\+(?:880|1)\d{8,11}\b/g,
};

/** Puts what a database holds beside the logs of the run; before it is dropped. */
export async function gather(adminUrl: string, folder: string): Promise<void> {
  const client = new pg.Client({ connectionString: adminUrl });
  await client.connect();
  try {
    const { rows: known } = await client.query<{ name: string }>(
      `select tablename as name from pg_tables where schemaname = 'public'`,
    );
    const has = (query: string) => known.some(({ name }) => new RegExp(`from ${name}\\b`).test(query));
    for (const [file, queries] of [
      ['planted.jsonl', PLANTED],
      ['audit.jsonl', WRITTEN],
    ] as const) {
      for (const query of queries.filter(has)) {
        const { rows } = await client.query<{ text: string }>(query);
        if (rows.length === 0) continue;
        appendFileSync(join(folder, file), `${rows.map(({ text }) => JSON.stringify(text)).join('\n')}\n`);
      }
    }
  } finally {
    await client.end();
  }
}

/** Searches the folder. */
export function searchRun(folder: string): { findings: Finding[]; planted: number; searchedCharacters: number } {
  const planted = new Set(linesOf(join(folder, 'planted.jsonl')));
  const files = readdirSync(folder).filter((name) => name.endsWith('.log'));
  const texts = [
    ...files.map((name) => ({ where: `log ${name}`, text: readFileSync(join(folder, name), 'utf8') })),
    { where: 'audit rows', text: linesOf(join(folder, 'audit.jsonl')).join('\n') },
  ];
  const starts = byStart(planted);
  const findings = texts.flatMap(({ where, text }) => searchText(where, text, starts));
  return {
    findings,
    planted: planted.size,
    searchedCharacters: texts.reduce((sum, { text }) => sum + text.length, 0),
  };
}

/** Every planted text, and every shape, in one text; each once. */
export function search(where: string, text: string, planted: ReadonlySet<string>): Finding[] {
  return searchText(where, text, byStart(planted));
}

/** What was planted by its first characters: one look for each place of a text, however many were planted. */
function byStart(planted: ReadonlySet<string>): ReadonlyMap<string, readonly string[]> {
  const starts = new Map<string, string[]>();
  for (const one of planted) {
    // as it stands in JSON, which is how logs and audit rows are written
    for (const written of new Set([one, JSON.stringify(one).slice(1, -1)])) {
      const start = written.slice(0, MIN_LENGTH);
      const same = starts.get(start);
      if (same) same.push(written);
      else starts.set(start, [written]);
    }
  }
  return starts;
}

function searchText(where: string, text: string, starts: ReadonlyMap<string, readonly string[]>): Finding[] {
  const found = new Map<string, Finding>();
  const note = (what: string, at: number, length: number) => {
    if (found.has(what)) return;
    found.set(what, { where, what, around: text.slice(Math.max(0, at - 120), at + length + 60) });
  };
  for (const [what, shape] of Object.entries(SHAPES)) {
    for (const match of text.matchAll(shape)) note(`${what}: ${match[0]}`, match.index, match[0].length);
  }
  for (let at = 0; at + MIN_LENGTH <= text.length; at++) {
    const candidates = starts.get(text.slice(at, at + MIN_LENGTH));
    if (!candidates) continue;
    for (const one of candidates) if (text.startsWith(one, at)) note(`a text: ${one}`, at, one.length);
  }
  return [...found.values()];
}

function linesOf(file: string): string[] {
  try {
    const text = readFileSync(file, 'utf8').trim();
    return text === '' ? [] : text.split('\n').map((line) => String(JSON.parse(line)));
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return [];
    throw error;
  }
}
