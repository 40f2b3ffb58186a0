import type { Readable } from 'node:stream';
import { User } from '../../identity/index.ts';
import { type Scope, transact } from '../../platform/database/index.ts';
import { Forbidden, NotFound } from '../../platform/errors/index.ts';
import type { Storage } from '../../platform/storage/index.ts';
import { recordAudit } from '../../tenancy/index.ts';
import { OF_CONVERSATION, OF_PERSON } from './personal-data.ts';

/** Runs one read in a unit of work of its own; the export of years must not hold a connection. */
type InScope = <T>(work: (scope: Scope) => Promise<T>) => Promise<T>;

const MESSAGES_AT_ONCE = 500;
/** Of a file, a multiple of 3, so that the pieces of base64 fit together. */
const BYTES_AT_ONCE = 3 * 64 * 1024;

/**
 * Everything that is kept of one of the host's users, as pieces of one JSON document: who they are, their sessions,
 * their conversations with messages, notes, ratings and files (base64). Audited before the first piece.
 * @throws Forbidden without MANAGE_PRIVACY; NotFound for nobody, and for admins.
 */
export async function exportPerson(
  scope: Scope,
  deps: { readonly storage: Pick<Storage, 'open'>; readonly inScope: InScope },
  userId: string,
): Promise<AsyncGenerator<string>> {
  if (!scope.actor.can('MANAGE_PRIVACY')) throw new Forbidden();
  await transact(scope, async (inside) => {
    const user = await inside.em.findOne(User, { id: userId });
    if (!user || user.isAdmin()) throw new NotFound();
    recordAudit(inside, {
      action: 'SUPPORT_EXPORTED',
      entityType: 'user',
      entityId: userId,
      metadata: { what: 'person' },
    });
    await inside.em.flush();
  });
  return pieces(deps, userId, scope.now);
}

async function* pieces(
  { inScope, storage }: { readonly storage: Pick<Storage, 'open'>; readonly inScope: InScope },
  userId: string,
  now: Date,
): AsyncGenerator<string> {
  yield `{"exportedAt":${JSON.stringify(now)}`;
  for (const { table, isTheirs, hidden } of OF_PERSON) {
    yield `,\n${JSON.stringify(table)}:${JSON.stringify(await inScope((scope) => read(scope, table, isTheirs, hidden, userId)))}`;
  }
  yield ',\n"conversations":[';
  const conversations = await inScope((scope) => read(scope, 'conversations', 't.opened_by = ?::uuid', [], userId));
  for (const [at, conversation] of conversations.entries()) {
    const id = String(conversation['id']);
    yield `${at === 0 ? '' : ','}\n{"conversation":${JSON.stringify(conversation)}`;
    for (const { table, isTheirs, hidden } of OF_CONVERSATION) {
      yield `,\n${JSON.stringify(table)}:${JSON.stringify(await inScope((scope) => read(scope, table, isTheirs, hidden, id)))}`;
    }
    yield ',\n"messages":[';
    yield* messages(inScope, id);
    yield '],\n"attachments":[';
    yield* attachments(inScope, storage, id);
    yield ']}';
  }
  yield ']}\n';
}

/** Rows as the database has them, without what is hidden. Table and condition come from our own lists. */
async function read(
  scope: Scope,
  table: string,
  isTheirs: string,
  hidden: readonly string[],
  id: string,
): Promise<Record<string, unknown>[]> {
  const found = await scope.em.execute<{ row: Record<string, unknown> }[]>(
    `select to_jsonb(t) - ?::text[] as row from ${table} t where t.tenant_id = ? and ${isTheirs}`,
    [`{${['tenant_id', ...hidden].join(',')}}`, scope.tenant.id, id],
  );
  return found.map(({ row }) => row);
}

async function* messages(inScope: InScope, conversationId: string): AsyncGenerator<string> {
  for (let after = 0; ; ) {
    const page = await inScope((scope) =>
      scope.em.execute<{ seq: number; row: object }[]>(
        `select t.seq, to_jsonb(t) - '{tenant_id,content_hash}'::text[] as row from messages t
         where t.tenant_id = ? and t.conversation_id = ?::uuid and t.seq > ? order by t.seq limit ?`,
        [scope.tenant.id, conversationId, after, MESSAGES_AT_ONCE],
      ),
    );
    for (const { seq, row } of page) {
      yield `${after === 0 ? '' : ','}\n${JSON.stringify(row)}`;
      after = seq;
    }
    if (page.length < MESSAGES_AT_ONCE) return;
  }
}

async function* attachments(
  inScope: InScope,
  storage: Pick<Storage, 'open'>,
  conversationId: string,
): AsyncGenerator<string> {
  const rows = await inScope((scope) => read(scope, 'attachments', 't.conversation_id = ?::uuid', [], conversationId));
  for (const [at, { secure_storage_path: path, thumbnail_path: _, ...row }] of rows.entries()) {
    yield `${at === 0 ? '' : ','}\n${JSON.stringify(row).slice(0, -1)},"content":`;
    // one that is refused or deleted has no bytes any more
    const stream = await storage.open(String(path)).catch(() => null);
    if (!stream) yield 'null}';
    else {
      yield '"';
      yield* base64(stream);
      yield '"}';
    }
  }
}

async function* base64(stream: Readable): AsyncGenerator<string> {
  let rest = Buffer.alloc(0);
  for await (const chunk of stream) {
    rest = Buffer.concat([rest, chunk]);
    const whole = rest.length - (rest.length % BYTES_AT_ONCE);
    if (whole === 0) continue;
    yield rest.subarray(0, whole).toString('base64');
    rest = rest.subarray(whole);
  }
  yield rest.toString('base64');
}
