import type { KnownName } from '../identity/index.ts';
import type { Show } from '../platform/views/index.ts';
import { type AuditLine, readSupportSettings } from '../tenancy/index.ts';
import { DESK } from './desk-address.ts';
import { languagesInWords } from './languages-in-words.ts';
import { valueInWords } from './settings.view.ts';
import { SETTING_NAMES } from './settings-form.ts';

/** One line as `views/dashboard/audit` takes it. */
export interface AuditRow {
  readonly id: string;
  /** ISO 8601. */
  readonly at: string;
  readonly sentence: string;
  /** What else there is to say: old and new values, the codes of a refusal. */
  readonly details: readonly string[];
  readonly action: string;
  readonly actorId: string;
  readonly actorName: string;
  readonly entityId: string;
  /** Where the entity is shown, or null. */
  readonly href: string | null;
}

/** Names by id, as far as the reader may know them. */
export type Names = ReadonlyMap<string, KnownName>;

/** Actions that we have a sentence for; others are shown by their name. */
export const AUDIT_ACTIONS = [
  'SUPPORT_CONVERSATION_CREATED',
  'SUPPORT_CONVERSATION_ASSIGNED',
  'SUPPORT_CONVERSATION_CLOSED',
  'SUPPORT_CONVERSATION_REOPENED',
  'SUPPORT_CONVERSATION_RATED',
  'SUPPORT_CONVERSATIONS_DELETED',
  'SUPPORT_MESSAGE_SENT',
  'SUPPORT_MESSAGE_EDITED',
  'SUPPORT_MESSAGE_DELETED',
  'SUPPORT_NOTE_ADDED',
  'SUPPORT_ATTACHMENT_UPLOADED',
  'SUPPORT_SETTINGS_CHANGED',
  'SUPPORT_ROLE_CHANGED',
  'SUPPORT_AGENT_CHANGED',
  'SUPPORT_EXPORTED',
  'SUPPORT_PERSON_ERASED',
  'SUPPORT_LEGAL_HOLD_CHANGED',
  'SUPPORT_SIGNED_IN',
  'SUPPORT_ACCESS_REFUSED',
] as const;

/** Ids of people that lines name: who did it, and to whom. */
export function idsOf(lines: readonly AuditLine[]): string[] {
  return lines.flatMap((line) => [
    line.actorId,
    line.entityId,
    ...Object.values(line.metadata).filter((value) => typeof value === 'string'),
  ]);
}

/** One line in the reader's language. */
export function auditRow(show: Show, names: Names, line: AuditLine): AuditRow {
  const actorName = nameOf(show, names, line.actorId);
  return {
    id: line.id,
    at: line.createdAt.toISOString(),
    sentence: sentenceOf(show, names, line, actorName),
    details: detailsOf(show, line),
    action: line.action,
    actorId: line.actorId,
    actorName,
    entityId: line.entityId,
    href: hrefOf(line),
  };
}

function sentenceOf(show: Show, names: Names, line: AuditLine, actor: string): string {
  const { metadata } = line;
  const person = nameOf(show, names, String(personOf(line) ?? ''));
  const key = `audit.say.${line.action}`;
  return show.t([`${key}_${variantOf(line)}`, key, 'audit.say.other'], {
    actor,
    person,
    action: line.action,
    door: line.entityId,
    roles: words(show, String(metadata['roles'] ?? ''), 'roles.builtin') || show.t('audit.noRole'),
    role: line.entityId,
    settings: settingNames(show, metadata),
    mediaType: String(metadata['mediaType'] ?? ''),
    by: show.t([`audit.by.${String(metadata['by'])}`, 'audit.by.other']),
    what: show.t([`audit.what.${String(metadata['what'])}`, 'audit.what.other']),
  });
}

/** Whom a line is about, besides who did it. */
function personOf({ action, entityType, entityId, metadata }: AuditLine): unknown {
  if (action === 'SUPPORT_CONVERSATION_ASSIGNED') return metadata['assignedAdminId'];
  return entityType === 'user' ? entityId : metadata['userId'];
}

/** The same action said in another way. */
function variantOf({ action, actorId, entityType, metadata }: AuditLine): string {
  if (action === 'SUPPORT_CONVERSATION_ASSIGNED') {
    if (!metadata['assignedAdminId']) return 'released';
    return metadata['assignedAdminId'] === actorId ? 'self' : 'plain';
  }
  if (action === 'SUPPORT_CONVERSATION_CLOSED') return actorId === 'system' ? 'system' : 'plain';
  if (action === 'SUPPORT_ROLE_CHANGED')
    return String(metadata['change'] ?? (entityType === 'user' ? 'plain' : 'saved'));
  return 'plain';
}

function settingNames(show: Show, metadata: AuditLine['metadata']): string {
  return String(metadata['fields'] ?? '')
    .split(',')
    .filter((name) => name !== '')
    .map((name) => show.t(`settings.name.${name}`))
    .join(', ');
}

function detailsOf(show: Show, { action, metadata }: AuditLine): string[] {
  if (action === 'SUPPORT_SETTINGS_CHANGED') return settingChanges(show, metadata);
  const shown = [
    'code',
    'languages',
    'capabilities',
    'count',
    'retentionDays',
    'conversations',
    'messages',
    'files',
    'size',
  ];
  return shown
    .filter((name) => metadata[name] !== undefined && metadata[name] !== '')
    .map((name) => show.t('audit.fact', { name: show.t(`audit.facts.${name}`), value: factOf(show, name, metadata) }));
}

function factOf(show: Show, name: string, metadata: AuditLine['metadata']): string {
  const value = String(metadata[name]);
  if (name === 'languages') return languagesInWords(show.reader.language, value.split(','));
  return name === 'capabilities' ? words(show, value, 'roles.capability') : value;
}

/** A list of codes as words; one that nobody wrote a word for stays. */
function words(show: Show, codes: string, key: string): string {
  return codes
    .split(',')
    .filter((code) => code !== '')
    .map((code) => show.t(`${key}.${code}`, { defaultValue: code }))
    .join(', ');
}

function settingChanges(show: Show, metadata: AuditLine['metadata']): string[] {
  return SETTING_NAMES.filter((name) => metadata[`${name}.new`] !== undefined).map((name) => {
    const [before, after] = [`${name}.old`, `${name}.new`].map((key) => settingInWords(show, name, metadata[key]));
    return show.t('audit.changed', { name: show.t(`settings.name.${name}`), before, after });
  });
}

/** What is no scalar stands in the log as JSON. */
function settingInWords(show: Show, name: (typeof SETTING_NAMES)[number], value: unknown): string {
  const isJson = typeof value === 'string' && /^[[{]/.test(value);
  const { settings, dropped } = readSupportSettings({ [name]: isJson ? JSON.parse(value) : value });
  return dropped.length > 0 ? String(value) : valueInWords(show, name, settings);
}

function nameOf(show: Show, names: Names, id: string): string {
  if (id === 'system') return show.t('audit.system');
  return names.get(id)?.name ?? show.t('audit.unknown', { id: id.slice(0, 8) });
}

function hrefOf({ entityType, entityId, metadata }: AuditLine): string | null {
  const conversation = entityType === 'support_conversation' ? entityId : metadata['conversationId'];
  return typeof conversation === 'string' && conversation !== '' ? `${DESK}/${conversation}` : null;
}
