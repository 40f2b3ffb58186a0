import { User } from '../../identity/index.ts';
import { Conversation, readLog, type StoredMessage } from '../../messaging/index.ts';
import type { Scope } from '../../platform/database/index.ts';
import type { Delivery } from '../../platform/jobs/index.ts';
import { UnsafeMail } from '../../platform/outbound/index.ts';
import { readChoices } from '../choices/notice-choices.ts';
import type { MailReach } from '../reach.ts';
import { AnswerMail } from './answer-mail.entity.ts';
import { composeAnswerMail } from './compose-answer-mail.ts';
import type { OwedMail } from './owe-answer-mails.ts';

/** Unread answers one mail shows; the conversation has the rest. */
const MAX_ANSWERS = 20;

/**
 * Sends a mail that is owed, if it still is: the answers are read again, and so are the person, their address and
 * whether the conversation is theirs. Runs again after a crash or a refusal, with the same Message-ID; a mail that is
 * known to have gone out does not go out twice. Nothing is awaited inside a transaction.
 * @throws Error what the mail server or the way to it said: try again later
 */
export async function sendAnswerMail(
  scope: Scope,
  reach: MailReach,
  owed: OwedMail,
  delivery: Delivery,
): Promise<void> {
  const { em, tenant, now } = scope;
  const mail = await em.findOne(AnswerMail, { id: owed.mailId });
  if (mail?.state !== 'owed') return;
  const about = await stillOwed(scope, reach, mail);
  if (!about) {
    mail.settle('cancelled', now);
    await em.flush();
    return;
  }
  const { user, conversation, answers } = about;
  try {
    const token = await reach.signInLinks.issue(scope, {
      id: mail.id,
      userId: user.id,
      conversationId: conversation.id,
    });
    await reach.mail.send(composeAnswerMail(reach, mail.id, { user, conversation, answers, token }), delivery.signal);
    // whatever came meanwhile is in this mail too
    mail.upToSeq = Math.max(mail.upToSeq, answers.at(-1)?.seq ?? 0);
    mail.settle('sent', now);
  } catch (error) {
    if (!(error instanceof UnsafeMail)) throw error;
    reach.log.warn({ tenantId: tenant.id, mailId: mail.id, fields: error.fields }, 'no mail can be made of this');
    mail.settle('refused', now);
  }
  await em.flush();
}

/** What the mail is about, for whom; null when there is nothing to tell, or nobody who may be told. */
async function stillOwed(scope: Scope, reach: MailReach, mail: AnswerMail) {
  const { em } = scope;
  const tenant = await reach.tenancy.byId(scope.tenant.id);
  if (tenant?.status !== 'active' || tenant.support.emailAfterMinutes === 0) return null;
  const user = await em.findOne(User, { id: mail.userId });
  const conversation = await em.findOne(Conversation, { id: mail.conversationId });
  if (!user?.isActive() || !user.email || !conversation?.isOpenedBy(user.id)) return null;
  if (!(await readChoices(scope, user.id)).wantsMail) return null;
  const before = await lastMailed(scope, mail);
  const after = Math.max(conversation.userReadSeq, before);
  const page = await readLog(scope, conversation.id, { after }, 100);
  const answers = page.items.filter(isAnswer).slice(-MAX_ANSWERS);
  return answers.length > 0 ? { user, conversation, answers } : null;
}

/** Up to where earlier mails told already. */
async function lastMailed({ em }: Scope, mail: AnswerMail): Promise<number> {
  const [earlier] = await em.find(
    AnswerMail,
    { conversationId: mail.conversationId, state: 'sent', id: { $ne: mail.id } },
    { orderBy: { upToSeq: 'desc' }, limit: 1 },
  );
  return earlier?.upToSeq ?? 0;
}

function isAnswer(message: StoredMessage): boolean {
  return message.senderType === 'admin' && message.deletedAt === null;
}
