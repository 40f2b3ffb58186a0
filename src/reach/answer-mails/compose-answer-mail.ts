import type { User } from '../../identity/index.ts';
import type { Conversation, StoredMessage } from '../../messaging/index.ts';
import type { Mail } from '../../platform/outbound/index.ts';
import { preferredLanguage } from '../../platform/views/index.ts';
import type { MailReach } from '../reach.ts';

/** Characters of one answer that a mail shows. */
const MAX_ANSWER = 1_500;

/** An answer as the mail shows it. */
interface MailedAnswer {
  readonly sender: string;
  readonly at: Date;
  readonly text: string;
}

/** What `/reach/answer-mail` is made from. */
export interface AnswerMailView {
  readonly tenant: string;
  readonly greeting: string;
  readonly answers: readonly MailedAnswer[];
  /** Signs in once and leads to the conversation. */
  readonly link: string;
  /** Stops these mails. */
  readonly stopLink: string;
}

/**
 * The mail in the language of the user's profile, or of the tenant, as text and as HTML. Users know staff by name and
 * side only. The links are made from our own public address, never from a request.
 * @param token of the link that signs in
 */
export function composeAnswerMail(
  reach: MailReach,
  id: string,
  {
    user,
    conversation,
    answers,
    token,
  }: { user: User; conversation: Conversation; answers: readonly StoredMessage[]; token: string },
): Mail {
  const tenant = reach.tenancy.tenant(conversation.tenantId);
  const language = preferredLanguage({ locale: user.locale ?? tenant.languages[0] });
  const show = reach.views.for({ language, zone: tenant.timeZone });
  const stopToken = reach.stopLinks.token({ tenantId: tenant.id, userId: user.id });
  const view: AnswerMailView = {
    tenant: tenant.name,
    greeting: show.t('reach.answerMail.greeting', { name: user.name }),
    answers: answers.map((answer) => ({
      sender: answer.senderName ?? show.t('shared.type.admin'),
      at: answer.createdAt,
      // files are seen in the conversation alone, where whoever asks may see them
      text: answer.body ? cut(answer.body) : show.t('reach.answerMail.file'),
    })),
    link: new URL(`/enter/${token}`, reach.publicUrl).href,
    stopLink: new URL(`/unsubscribe/${stopToken}`, reach.publicUrl).href,
  };
  return {
    id,
    fromName: tenant.name,
    // only the address: a name is no proof of anything, and every header less is one that cannot be forged
    to: { address: user.email ?? '' },
    subject: show.t('reach.answerMail.subject', { count: answers.length, tenant: tenant.name }),
    text: plainText(show.t, view),
    html: show.page('/reach/answer-mail', view),
    language,
    unsubscribeUrl: view.stopLink,
  };
}

function plainText(t: (key: string, values?: Record<string, unknown>) => string, view: AnswerMailView): string {
  const answers = view.answers.map(({ sender, text }) => `${sender}:\n${text}`);
  return [
    view.greeting,
    t('reach.answerMail.intro', { tenant: view.tenant, count: view.answers.length }),
    ...answers,
    `${t('reach.answerMail.open')}:\n${view.link}`,
    t('reach.answerMail.once'),
    t('reach.answerMail.why', { tenant: view.tenant }),
    `${t('reach.answerMail.stop')}: ${view.stopLink}`,
  ].join('\n\n');
}

function cut(text: string): string {
  const characters = [...text];
  return characters.length > MAX_ANSWER ? `${characters.slice(0, MAX_ANSWER).join('')}…` : text;
}
