/** Where something of a person, or of what was said with them, is kept, and what an export shows of it. */
interface PersonalTable {
  readonly table: string;
  /** Condition on the row `t`; `?` is the person's id, or for a conversation's tables the conversation's. */
  readonly isTheirs: string;
  /** Columns that are ours alone: hashes, paths, secrets. */
  readonly hidden: readonly string[];
}

/** By person. Erased: the first becomes a stub without anything that says who it was, the others go. */
export const OF_PERSON: readonly PersonalTable[] = [
  { table: 'users', isTheirs: 't.id = ?::uuid', hidden: ['password_hash', 'changed_xid', 'access_version'] },
  { table: 'sessions', isTheirs: 't.user_id = ?::uuid', hidden: ['token_hash'] },
  {
    table: 'push_subscriptions',
    isTheirs: 't.user_id = ?::uuid',
    hidden: ['endpoint', 'endpoint_hash', 'p256dh', 'auth', 'public_key'],
  },
  { table: 'sign_in_links', isTheirs: 't.user_id = ?::uuid', hidden: ['token_hash'] },
  { table: 'notice_choices', isTheirs: 't.user_id = ?::uuid', hidden: [] },
];

/** By conversation. Erased with it, the messages by name and the rest by their foreign keys. */
export const OF_CONVERSATION: readonly PersonalTable[] = [
  'conversation_participants',
  'conversation_starts',
  'conversation_ratings',
  'conversation_notes',
  'note_mentions',
  'answer_mails',
  'answer_pushes',
  'assignment_decisions',
  'closing_warnings',
  'response_clocks',
  'report_conversations',
  'report_responses',
  'report_activity',
  'attachment_uploads',
  'conversation_words',
].map((table) => ({ table, isTheirs: 't.conversation_id = ?::uuid', hidden: ['words'] }));

/** By conversation too, but read in pages, or with their bytes. */
export const OF_CONVERSATION_BY_PAGES = ['conversations', 'messages', 'attachments'] as const;

/**
 * Everything else, and why it stays: it says nothing of a user, or an id that leads to a stub. A test compares these
 * lists with the database: a new table must take its place in one of them.
 */
export const NOT_PERSONAL: Readonly<Record<string, string>> = {
  tenants: 'companies',
  settings: 'of the company',
  audit_log: 'ids only; append-only and sealed',
  audit_seals: 'hashes',
  roles: 'of the company',
  role_assignments: 'admins',
  password_links: 'admins',
  access_changes: 'ids only; gone after a day',
  host_keys: 'of the company',
  host_token_uses: 'random ids of tokens; gone after minutes',
  sign_in_attempts: 'keyed hashes; gone after a day',
  agent_presence: 'admins',
  agent_languages: 'admins',
  saved_replies: 'of the company',
  attachment_usage: 'sums under an id',
  push_keys: 'of the installation',
  push_looks: 'a time',
  push_deliveries: 'ids and times; goes with its device and its notice',
  attachment_chunks: 'paths of pieces; gone with their upload, after a day at most',
  answer_mail_sweeps: 'a time for each company',
  word_marks: 'a time for each company',
  job_runs: 'counts',
  report_views: 'admins',
  report_cells: 'counts by user type, topic, country and agent; made again without who is gone',
  report_agent_cells: 'counts by agent, user type, topic and country; made again without who is gone',
  report_dirty_days: 'days',
  report_states: 'a time for each company',
  report_open_hours: 'of the company',
  installation: 'of nobody',
  migrations: 'of nobody',
};
