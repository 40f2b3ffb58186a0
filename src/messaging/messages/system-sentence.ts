import type { MessageView } from './message.view.ts';

/** The translator of the reader's language. */
type Translate = (key: string | string[], values?: Readonly<Record<string, unknown>>) => string;

/** A system line as a sentence, for files; pages make it in `views/messaging/_system-line.eta`, by the same words. */
export function systemSentence(t: Translate, { event, data }: Pick<MessageView, 'event' | 'data'>): string {
  const isHandedOver = event === 'assigned' || event === 'transferred';
  const name = data?.[isHandedOver ? 'adminName' : 'actorName'] ?? '';
  const way = data?.['actorSide'] === 'system' ? '_system' : name ? '' : '_nobody';
  return t([`messaging.event.${event}${way}`, `messaging.event.${event}_nobody`, 'messaging.event.other'], { name });
}
