/** A document as plain data: it crosses into the thread that draws it. */
export interface PdfDocument {
  readonly title: string;
  /** BCP 47, for readers that speak. */
  readonly language: string;
  /** Foot of every page, on the left; the page's number stands on the right. */
  readonly foot: string;
  /** How a page says its number: `{page}` and `{pages}` are replaced. */
  readonly pageWords: string;
  readonly blocks: readonly PdfBlock[];
}

/** What stands on the pages, from top to bottom; long text breaks lines and pages where it must. */
export type PdfBlock =
  | { readonly kind: 'title' | 'heading' | 'text' | 'soft'; readonly text: string }
  /** Names and values in two columns. */
  | { readonly kind: 'facts'; readonly rows: readonly (readonly [name: string, value: string])[] }
  /** One line of a log: when and who, what was said, and what is to be said about it. */
  | {
      readonly kind: 'entry';
      readonly head: string;
      readonly text: string;
      readonly note: string | null;
      readonly isMarked: boolean;
    };
