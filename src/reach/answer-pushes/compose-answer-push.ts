import { hash } from 'node:crypto';
import type { StoredMessage } from '../../messaging/index.ts';
import type { Language } from '../../platform/views/index.ts';
import type { TenantInfo } from '../../tenancy/index.ts';
import type { Reach } from '../reach.ts';

/** Characters of an answer that a notice shows. */
const MAX_TEXT = 120;

/** What the service worker shows (public/sw.js); it travels encrypted. */
interface PushNotice {
  /** The event id: the same at every try. */
  readonly id: string;
  /** Notices of one conversation take each other's place. */
  readonly tag: string;
  readonly title: string;
  readonly body: string;
  /** A path of ours. */
  readonly url: string;
  readonly lang: string;
  readonly dir: string;
}

/**
 * A notice about answers in the device's language. It says that there is one, and no more than the tenant's settings
 * allow beyond that: who wrote the last one, and how it begins.
 */
export function composeAnswerPush(
  { views }: Pick<Reach, 'views'>,
  tenant: TenantInfo,
  about: {
    readonly pushId: string;
    readonly conversationId: string;
    readonly userType: string;
    readonly language: Language;
    readonly answer: StoredMessage;
  },
): PushNotice {
  const { language, answer } = about;
  const { t } = views.for({ language, zone: tenant.timeZone });
  const { pushShowsName, pushShowsText } = tenant.support;
  const name = pushShowsName ? answer.senderName : null;
  const text = pushShowsText ? firstLine(answer.body ?? '') || t('reach.push.file') : null;
  return {
    id: about.pushId,
    tag: topicOf(about.conversationId),
    title: tenant.name,
    body:
      name && text
        ? t('reach.push.nameAndText', { name, text })
        : (text ?? (name ? t('reach.push.name', { name }) : t('reach.push.answer'))),
    url: `/${encodeURIComponent(about.userType)}/support/conversations/${about.conversationId}`,
    lang: language,
    dir: t('shared.direction'),
  };
}

/** Names a conversation towards push services, which need not know its id: 32 characters of base64url. */
export function topicOf(conversationId: string): string {
  return hash('sha256', conversationId, 'base64url').slice(0, 32);
}

function firstLine(text: string): string {
  const line = text.trim().split('\n', 1)[0]?.trim() ?? '';
  const characters = [...line];
  return characters.length > MAX_TEXT ? `${characters.slice(0, MAX_TEXT).join('')}…` : line;
}
