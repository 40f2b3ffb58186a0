/**
 * Text: ids, what a typed text may hold, safe HTML made from it, masking, and times and numbers in the reader's
 * language and zone. Pure functions; promises that what leaves `richText` and `escapeHtml` is safe inside a page.
 * Never reads a clock (but `newId`, whose time is only for locality) and never touches the database.
 */
export { csvLine } from './csv.ts';
export { escapeHtml, type SafeHtml } from './escape.ts';
export { createFormats, type Formats, intlLocale } from './formats.ts';
export { createIds, newId } from './ids.ts';
export { maskEmail, maskPhone } from './mask.ts';
export { type NormalisedText, normaliseText } from './normalise.ts';
export { oneLine } from './one-line.ts';
export { RICH_TEXT_MAX_LENGTH, richText } from './rich-text.ts';
