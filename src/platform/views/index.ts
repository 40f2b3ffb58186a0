/**
 * Views: Eta templates as typed pages and partials, where a fragment goes (`stream`), the two languages, and the
 * assets. Promises that a template never waits or queries, and that no text of a person ends up in a selector.
 * Never knows what a conversation is.
 */
export { type Asset, type Assets, type AssetsOptions, type Encoding, openAssets } from './assets.ts';
export { type Language, type Languages, openLanguages, preferredLanguage } from './languages.ts';
export { stream, type UpsertOptions } from './stream.ts';
export { openViews, type Reader, type Show, type TemplateLocals, type Views, type ViewsOptions } from './views.ts';
