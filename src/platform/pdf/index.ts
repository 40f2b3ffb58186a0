/**
 * PDF: documents of text, drawn on the server, whose text can be taken out again as it went in.
 *
 * Promises that scripts which join or reorder their letters (Bengali) are shaped, that every line carries its own text
 * for whoever copies, searches or reads aloud, and that drawing never holds up the server: it happens in a thread of its
 * own, one document at a time, within a time. Never knows what a conversation is.
 */
export type { PdfBlock, PdfDocument } from './pdf-document.ts';
export { createPdfPress, type PdfPress } from './render-pdf.ts';
