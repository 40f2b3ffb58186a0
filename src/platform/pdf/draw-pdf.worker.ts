import { createRequire } from 'node:module';
import { parentPort, workerData } from 'node:worker_threads';
import PDFDocument from 'pdfkit';
import type { PdfBlock, PdfDocument } from './pdf-document.ts';
import type { Drawn } from './render-pdf.ts';

/*
 * The thread that draws one document. Lines are broken here and not by the library, because each line carries its text
 * beside its glyphs (`ActualText`): Bengali glyphs stand in another order than their letters and several letters share
 * one, so that a reader could not get the words back from the drawing.
 */

const require = createRequire(import.meta.url);
/** The first that has all letters of a cluster draws it. */
const FACES = {
  regular: [
    require.resolve('@expo-google-fonts/noto-sans/400Regular/NotoSans_400Regular.ttf'),
    require.resolve('@expo-google-fonts/noto-sans-bengali/400Regular/NotoSansBengali_400Regular.ttf'),
    require.resolve('@expo-google-fonts/noto-emoji/400Regular/NotoEmoji_400Regular.ttf'),
  ],
  bold: [
    require.resolve('@expo-google-fonts/noto-sans/700Bold/NotoSans_700Bold.ttf'),
    require.resolve('@expo-google-fonts/noto-sans-bengali/700Bold/NotoSansBengali_700Bold.ttf'),
    require.resolve('@expo-google-fonts/noto-emoji/700Bold/NotoEmoji_700Bold.ttf'),
  ],
} as const;

/** A4 in points. */
const PAGE = { width: 595.28, height: 841.89, margin: 48, foot: 64 };
const INK = '#1b1f24';
const SOFT = '#57606a';
const ACCENT = '#0a5f5f';
const RULE = '#d0d7de';

/** What of a font file is asked. */
interface Face {
  readonly id: string;
  has(codePoint: number): boolean;
}

/** A stretch of text in one face. */
interface Run {
  readonly face: string;
  text: string;
}

interface Style {
  readonly size: number;
  readonly weight: 'regular' | 'bold';
  readonly color: string;
}

const STYLES = {
  title: { size: 18, weight: 'bold', color: INK },
  heading: { size: 12.5, weight: 'bold', color: INK },
  text: { size: 10, weight: 'regular', color: INK },
  soft: { size: 9, weight: 'regular', color: SOFT },
  head: { size: 9, weight: 'bold', color: SOFT },
  note: { size: 9, weight: 'regular', color: ACCENT },
} as const satisfies Record<string, Style>;

const clusters = new Intl.Segmenter(undefined, { granularity: 'grapheme' });

function draw(source: PdfDocument): Promise<Uint8Array> {
  const pdf = new PDFDocument({
    size: [PAGE.width, PAGE.height],
    margin: 0,
    autoFirstPage: false,
    bufferPages: true,
    lang: source.language,
    displayTitle: true,
    pdfVersion: '1.7',
    tagged: true,
    info: { Title: source.title },
  });
  const chunks: Uint8Array[] = [];
  pdf.on('data', (chunk: Uint8Array) => chunks.push(chunk));
  const done = new Promise<Uint8Array>((resolve) => pdf.on('end', () => resolve(Buffer.concat(chunks))));

  const faces = { regular: openFaces('regular'), bold: openFaces('bold') };
  /** Widths at 100 points. */
  const widths = new Map<string, number>();
  const inner = PAGE.width - 2 * PAGE.margin;
  let y = 0;
  newPage();
  for (const block of source.blocks) put(block);
  const { count } = pdf.bufferedPageRange();
  for (let at = 0; at < count; at++) {
    pdf.switchToPage(at);
    const number = source.pageWords.replace('{page}', String(at + 1)).replace('{pages}', String(count));
    const base = PAGE.height - PAGE.margin + 14;
    rule(base - 16);
    drawLine(source.foot, PAGE.margin, base, STYLES.soft, true);
    drawLine(number, PAGE.width - PAGE.margin - widthOf(number, STYLES.soft), base, STYLES.soft, true);
  }
  pdf.end();
  return done;

  function openFaces(weight: Style['weight']): Face[] {
    return FACES[weight].map((path, at) => {
      const id = `${weight}-${at}`;
      pdf.registerFont(id, path);
      pdf.font(id);
      // the typings leave the font's own object out
      const { font } = (pdf as unknown as { _font: { font: { hasGlyphForCodePoint(code: number): boolean } } })._font;
      return { id, has: (code) => font.hasGlyphForCodePoint(code) };
    });
  }

  function newPage(): void {
    pdf.addPage();
    y = PAGE.margin;
  }

  /** Makes room for so many points, on the next page if need be. */
  function room(points: number): void {
    if (y + points > PAGE.height - PAGE.margin - PAGE.foot / 2) newPage();
  }

  function rule(at: number): void {
    pdf
      .moveTo(PAGE.margin, at)
      .lineTo(PAGE.width - PAGE.margin, at)
      .lineWidth(0.5)
      .strokeColor(RULE)
      .stroke();
  }

  function put(block: PdfBlock): void {
    if (block.kind === 'facts') {
      for (const [name, value] of block.rows) putPair(name, value);
      y += 4;
    } else if (block.kind === 'entry') {
      y += 7;
      room(34);
      paragraph(block.head, STYLES.head, PAGE.margin, inner);
      const inset = block.isMarked ? 12 : 0;
      if (block.text) paragraph(block.text, STYLES.text, PAGE.margin + inset, inner - inset);
      if (block.note) paragraph(block.note, STYLES.note, PAGE.margin + inset, inner - inset);
    } else {
      if (block.kind === 'heading') {
        y += 12;
        room(44);
      }
      paragraph(block.text, STYLES[block.kind], PAGE.margin, inner);
      y += block.kind === 'title' ? 6 : 2;
    }
  }

  /** A name and its value side by side; the longer of the two says how high the row is. */
  function putPair(name: string, value: string): void {
    const column = 168;
    const names = linesOf(name, STYLES.soft, column - 12);
    const values = linesOf(value, STYLES.text, inner - column);
    for (let at = 0; at < Math.max(names.length, values.length); at++) {
      room(16);
      y += 15;
      const [left, right] = [names[at], values[at]];
      if (left) drawLine(left, PAGE.margin, y, STYLES.soft);
      if (right) drawLine(right, PAGE.margin + column, y, STYLES.text);
    }
  }

  function paragraph(text: string, style: Style, x: number, width: number): void {
    const height = style.size * 1.5;
    for (const line of linesOf(text, style, width)) {
      room(height);
      y += height;
      if (line) drawLine(line, x, y, style);
    }
  }

  /** Breaks between words, and within a word that is wider than the line. */
  function linesOf(text: string, style: Style, width: number): string[] {
    return text.split('\n').flatMap((paragraphText) => {
      const lines: string[] = [];
      let line = '';
      let used = 0;
      for (const word of paragraphText.split(/(?<=\s)/u)) {
        const wide = widthOf(word.trimEnd(), style);
        if (line && used + wide > width) {
          lines.push(line.trimEnd());
          line = '';
          used = 0;
        }
        if (wide > width) {
          for (const piece of pieces(word, style, width)) {
            if (line) lines.push(line);
            line = piece;
          }
          used = widthOf(line, style);
        } else {
          line += word;
          used += widthOf(word, style);
        }
      }
      lines.push(line.trimEnd());
      return lines;
    });
  }

  function pieces(word: string, style: Style, width: number): string[] {
    const found: string[] = [];
    let piece = '';
    let used = 0;
    for (const { segment } of clusters.segment(word)) {
      const wide = widthOf(segment, style);
      if (piece && used + wide > width) {
        found.push(piece);
        piece = '';
        used = 0;
      }
      piece += segment;
      used += wide;
    }
    return [...found, piece];
  }

  function runsOf(text: string, style: Style): Run[] {
    const runs: Run[] = [];
    for (const { segment } of clusters.segment(text)) {
      const last = runs.at(-1);
      const face = last && /^\s+$/u.test(segment) ? last.face : faceOf(segment, style);
      if (last?.face === face) last.text += segment;
      else runs.push({ face, text: segment });
    }
    return runs;
  }

  function faceOf(cluster: string, { weight }: Style): string {
    const letters = Array.from(cluster, (letter) => letter.codePointAt(0) ?? 0).filter((code) => !isInvisible(code));
    const face = faces[weight].find(({ has }) => letters.every(has)) ?? faces[weight][0];
    return face?.id ?? '';
  }

  /** In points. The same words come again and again, and shaping is what takes the time. */
  function widthOf(text: string, style: Style): number {
    const key = `${style.weight} ${text}`;
    let width = widths.get(key);
    if (width === undefined) {
      width = 0;
      for (const run of runsOf(visible(text), style)) width += pdf.font(run.face, 100).widthOfString(run.text);
      widths.set(key, width);
    }
    return (width * style.size) / 100;
  }

  /** Draws one line on its base, with its text beside the glyphs; what is not the document's content is marked as such. */
  function drawLine(text: string, x: number, base: number, style: Style, isArtifact = false): void {
    if (isArtifact) pdf.markContent('Artifact', { type: 'Pagination' });
    else pdf.markContent('Span', { actual: text });
    pdf.fillColor(style.color);
    let at = x;
    for (const run of runsOf(visible(text), style)) {
      pdf.font(run.face, style.size).text(run.text, at, base, { lineBreak: false, baseline: 'alphabetic' });
      at += pdf.widthOfString(run.text);
    }
    pdf.endMarkedContent();
  }
}

/** Joiners and marks of direction shape text and have no glyph of their own; variation selectors choose one. */
function isInvisible(code: number): boolean {
  return (code >= 0x200b && code <= 0x200f) || (code >= 0xfe00 && code <= 0xfe0f) || code === 0x2060 || code === 0xfeff;
}

/** Control characters would be drawn as boxes; they stay in the line's own text. */
function visible(text: string): string {
  return text.replaceAll('\t', '    ').replaceAll(/\p{Cc}/gu, '');
}

try {
  const bytes = await draw(workerData as PdfDocument); // typed by whoever starts this thread
  parentPort?.postMessage({ bytes } satisfies Drawn);
} catch (error) {
  parentPort?.postMessage({ error: error instanceof Error ? error.message : String(error) } satisfies Drawn);
}
