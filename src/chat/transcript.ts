import type { Person } from '../identity/index.ts';
import { accessConversation, type MessageView, readWholeLog, systemSentence } from '../messaging/index.ts';
import type { Scope } from '../platform/database/index.ts';
import { oneLine } from '../platform/text/index.ts';
import type { Show } from '../platform/views/index.ts';

/** The most that one file holds; whoever wrote more gets the newest. */
const MAX_MESSAGES = 5_000;

/**
 * A conversation as plain text in the reader's language and zone: what its page shows, no ids and no addresses of staff.
 * Lines that somebody wrote are indented, so that no text can look like another message.
 * @throws NotFound when the conversation is not there or not theirs.
 */
export async function transcript(scope: Scope<Person>, show: Show, id: string): Promise<string> {
  const conversation = await accessConversation(scope, id);
  const { messages, isWhole } = await readWholeLog(scope, conversation, { audience: 'user', most: MAX_MESSAGES });
  const { t, full } = show;
  const about = conversation.context?.label ?? conversation.subject;
  const head = [
    t('chat.transcriptTitle', { product: t('shared.product'), time: full(conversation.createdAt) }),
    ...(about ? [`${t('chat.about')}: ${oneLine(about)}`] : []),
    ...(isWhole ? [] : [t('chat.transcriptCut', { count: MAX_MESSAGES })]),
  ];
  return `${[...head, '', ...messages.map((message) => entry(show, message))].join('\n')}\n`;
}

function entry({ t, full }: Show, message: MessageView): string {
  const time = `[${full(message.createdAt)}]`;
  if (message.senderType === 'system') return `${time} ${systemSentence(t, message)}`;
  const name = oneLine(message.sender?.name ?? t('shared.type.admin'));
  const text = message.deletedAt ? t('messaging.deleted') : (message.body ?? '');
  const files = message.attachments.map(({ fileName }) => `[${oneLine(fileName)}]`);
  const lines = [...(text ? text.split('\n') : []), ...files];
  return [`${time} ${name}:`, ...lines.map((line) => `    ${line}`)].join('\n');
}
