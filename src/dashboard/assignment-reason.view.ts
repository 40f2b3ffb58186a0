import type { ExplainedDecision } from '../desk/index.ts';
import type { Holder } from './conversation-row.view.ts';

/** Why a conversation is with whom it is, as the details show it. */
export interface AssignmentReason {
  /** Key of the sentence in `why`. */
  readonly reason: string;
  /** Who was given it. */
  readonly name: string;
  /** Whom it was taken from. */
  readonly from: string;
  /** Open conversations that they held then. */
  readonly open: number;
  /** ISO 8601. */
  readonly at: string;
  /** Who was there besides, nearest first. */
  readonly others: readonly { readonly name: string; readonly open: number; readonly verdict: string }[];
}

/** The desk's newest decision while it holds; `by_person` after somebody took or gave it; null while nobody ever had it. */
export function assignmentReason(
  decisions: readonly ExplainedDecision[],
  holder: Holder | null,
): AssignmentReason | null {
  const [newest] = decisions;
  const isTheirs = (newest?.chosen?.id ?? null) === (holder?.id ?? null);
  if (newest && isTheirs) {
    const chosen = newest.candidates.find((one) => one.verdict === 'chosen');
    return {
      reason: newest.reason,
      name: newest.chosen?.name ?? '',
      from: newest.from?.name ?? '',
      open: chosen?.open ?? 0,
      at: newest.createdAt.toISOString(),
      others: newest.candidates.filter((one) => one !== chosen),
    };
  }
  return holder ? { reason: 'by_person', name: holder.name, from: '', open: 0, at: '', others: [] } : null;
}
