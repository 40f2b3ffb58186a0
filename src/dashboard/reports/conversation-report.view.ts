import { type MessageView, systemSentence } from '../../messaging/index.ts';
import type { PdfDocument } from '../../platform/pdf/index.ts';
import { intlLocale, oneLine } from '../../platform/text/index.ts';
import type { Show } from '../../platform/views/index.ts';
import { type ConversationReport, MAX_REPORTED_MESSAGES, type Wait } from '../../reports/index.ts';
import { DESK } from '../desk-address.ts';
import { spanOf, topicInWords } from './in-words.ts';

/** A name, its value, and for numbers what they mean. */
export interface ReportFact {
  readonly name: string;
  readonly value: string;
  readonly meaning: string | null;
}

/** A line of the log, in words. */
export interface ReportLine {
  readonly seq: number;
  /** ISO 8601. */
  readonly at: string;
  readonly who: string;
  readonly side: string;
  readonly text: string;
  /** What is to be said of it: edited, how long it took. */
  readonly note: string | null;
}

/** One conversation's report as the page and the PDF show it: the same words in both. */
export interface ConversationReportView {
  readonly id: string;
  readonly title: string;
  readonly madeAt: string;
  readonly facts: readonly ReportFact[];
  readonly counted: readonly ReportFact[];
  readonly lines: readonly ReportLine[];
  readonly notices: readonly string[];
  readonly deskHref: string;
  readonly pdfHref: string;
}

const REPORTS = '/admin/support-reports/conversations';

/** Puts a report into the reader's words; times are in the tenant's zone. */
export function conversationReportView(show: Show, report: ConversationReport, now: Date): ConversationReportView {
  const { id } = report.conversation;
  const { t } = show;
  return {
    id,
    title: t('conversationReport.title', { number: report.number }),
    madeAt: t('conversationReport.madeAt', { time: show.full(now.toISOString()), zone: show.reader.zone }),
    facts: factsOf(show, report),
    counted: countedOf(show, report),
    lines: report.messages.map((message) => lineOf(show, message, report.waits.get(message.seq))),
    notices: [
      ...(report.isWhole ? [] : [t('conversationReport.cut', { count: MAX_REPORTED_MESSAGES })]),
      ...(report.uncounted > 0 ? [t('conversationReport.uncounted', { count: report.uncounted })] : []),
    ],
    deskHref: `${DESK}/${id}`,
    pdfHref: `${REPORTS}/${id}/pdf`,
  };
}

/** The document of the same words. */
export function conversationReportDocument(show: Show, view: ConversationReportView): PdfDocument {
  const { t } = show;
  const rows = (facts: readonly ReportFact[]) => facts.map(({ name, value }) => [name, value] as const);
  return {
    title: view.title,
    language: show.reader.language,
    foot: `${t('shared.product')} - ${view.title}`,
    pageWords: t('conversationReport.page', { page: '{page}', pages: '{pages}' }),
    blocks: [
      { kind: 'title', text: view.title },
      { kind: 'soft', text: view.madeAt },
      ...view.notices.map((text) => ({ kind: 'soft', text }) as const),
      { kind: 'heading', text: t('conversationReport.about') },
      { kind: 'facts', rows: rows(view.facts) },
      { kind: 'heading', text: t('conversationReport.counted') },
      { kind: 'facts', rows: rows(view.counted) },
      { kind: 'heading', text: t('conversationReport.log') },
      ...view.lines.map(
        ({ at, who, side, text, note }) =>
          ({
            kind: 'entry',
            head: side === 'system' ? show.full(at) : `${show.full(at)}  ${who}`,
            text,
            note,
            isMarked: side === 'admin',
          }) as const,
      ),
    ],
  };
}

function factsOf(show: Show, report: ConversationReport): ReportFact[] {
  const { conversation, person, holder, rating } = report;
  const { t, full } = show;
  const about = conversation.context?.label ?? conversation.subject;
  const type = t([`shared.type.${person.userType}`, 'shared.type.other']);
  const facts: [key: string, value: string | null | undefined][] = [
    ['person', `${person.name} (${type})`],
    ['email', person.email],
    ['phone', person.phone],
    ['topic', conversation.topic && oneLine(topicInWords(show, conversation.topic))],
    ['subject', about && oneLine(about)],
    ['opened', full(conversation.createdAt.toISOString())],
    ['closed', conversation.closedAt ? full(conversation.closedAt.toISOString()) : t('conversationReport.stillOpen')],
    ['holder', holder?.name ?? t('conversationReport.nobody')],
    ['rating', rating ? t('conversationReport.stars', { score: rating.score }) : null],
    ['comment', rating?.comment],
  ];
  return facts
    .filter((fact): fact is [string, string] => Boolean(fact[1]))
    .map(([key, value]) => ({ name: t(`conversationReport.fact.${key}`), value, meaning: null }));
}

function countedOf(show: Show, { facts }: ConversationReport): ReportFact[] {
  const { t } = show;
  if (!facts) return [{ name: t('conversationReport.counted'), value: t('conversationReport.notYet'), meaning: null }];
  const both = (secs: number | null, openSecs: number | null) =>
    secs === null || openSecs === null ? t('conversationReport.none') : spanPair(show, { secs, openSecs });
  const counted: [key: string, value: string][] = [
    ['messagesIn', number(show, facts.messagesIn)],
    ['messagesOut', number(show, facts.messagesOut)],
    ['first', both(facts.firstSecs, facts.firstOpenSecs)],
    ['answers', number(show, facts.answers)],
    ['resolution', both(facts.resolutionSecs, facts.resolutionOpenSecs)],
    ['reopens', number(show, facts.reopens)],
  ];
  return counted.map(([key, value]) => ({
    name: t(`conversationReport.count.${key}`),
    value,
    meaning: t(`conversationReport.meaning.${key}`),
  }));
}

function lineOf(show: Show, message: MessageView, wait: Wait | undefined): ReportLine {
  const { t } = show;
  const isSystem = message.senderType === 'system';
  const files = message.attachments.map(({ fileName }) => `[${oneLine(fileName)}]`);
  const said = message.deletedAt ? t('messaging.deleted') : (message.body ?? '');
  const notes = [
    ...(message.editedAt && !message.deletedAt
      ? [t('conversationReport.edited', { time: show.full(message.editedAt) })]
      : []),
    ...(wait
      ? [t(`conversationReport.${wait.isFirst ? 'firstAnswer' : 'nextAnswer'}`, { span: spanPair(show, wait) })]
      : []),
  ];
  return {
    seq: message.seq,
    at: message.createdAt,
    who: isSystem ? '' : oneLine(message.sender.name || t('shared.type.admin')),
    side: message.senderType,
    text: isSystem ? systemSentence(t, message) : [...(said ? [said] : []), ...files].join('\n'),
    note: notes.length > 0 ? notes.join('; ') : null,
  };
}

/** Both clocks where they differ; one where the desk was open all the while. */
function spanPair(show: Show, { secs, openSecs }: Pick<Wait, 'secs' | 'openSecs'>): string {
  if (secs === openSecs) return spanWords(show, secs);
  return show.t('conversationReport.span', { span: spanWords(show, secs), open: spanWords(show, openSecs) });
}

const UNITS = { d: 'days', h: 'hours', m: 'minutes', s: 'seconds' } as const;

/** `spanOf` in the reader's words. */
function spanWords(show: Show, seconds: number): string {
  const style = { style: 'long', secondsDisplay: seconds === 0 ? 'always' : 'auto' } as const;
  const parts = spanOf(seconds).map(([n, unit]) => [UNITS[unit], n]);
  return new Intl.DurationFormat(intlLocale(show.reader.language), style).format(Object.fromEntries(parts));
}

function number(show: Show, n: number): string {
  return new Intl.NumberFormat(intlLocale(show.reader.language)).format(n);
}
