/**
 * Runs in a process of its own, one picture each, started by clean-image.ts, which ends it when it takes too much time
 * or memory. Decodes a picture and writes it anew: what was hidden in the file, where it was taken and by which device
 * stay behind. Says on stdout what came of it, as JSON. Plain JavaScript, because a process that takes types off first needs
 * 15 MB more for that.
 */
import sharp from 'sharp';

/**
 * What the parent hands over, as the one argument.
 * @typedef {{ input: string, output: string, thumbnail: string, format: 'jpeg' | 'png' | 'gif' | 'webp', maxPixels: number,
 *   maxFrames: number }} Order
 */

const LONGEST_SIDE = 4_096;
const THUMBNAIL_SIDE = 480;

/** @type {Order} the parent is the only caller */
const order = JSON.parse(process.argv[2] ?? '{}');
sharp.cache(false);
sharp.concurrency(1);
// of all the formats that the library could read, the four that we take
sharp.block({ operation: ['VipsForeignLoad'] });
sharp.unblock({
  operation: [
    'VipsForeignLoadJpegFile',
    'VipsForeignLoadPngFile',
    'VipsForeignLoadWebpFile',
    'VipsForeignLoadNsgifFile',
  ],
});
process.stdout.write(JSON.stringify(await clean(order).catch(() => ({ refused: 'unreadable_picture' }))));

/** @param {Order} order */
async function clean({ input, output, thumbnail, format, maxPixels, maxFrames }) {
  const moves = format === 'gif' || format === 'webp';
  const options = { limitInputPixels: maxPixels, failOn: 'error', animated: moves };
  // the header alone; nothing is decoded yet
  const head = await sharp(input, { ...options, limitInputPixels: false }).metadata();
  if (head.format !== format) return { refused: 'unreadable_picture' };
  const frames = head.pages ?? 1;
  const pixels = head.width * (head.pageHeight ?? head.height) * frames;
  if (pixels > maxPixels || frames > maxFrames) return { refused: 'picture_too_large' };

  const picture = sharp(input, options).autoOrient();
  if (frames === 1) {
    picture.resize({ width: LONGEST_SIDE, height: LONGEST_SIDE, fit: 'inside', withoutEnlargement: true });
  }
  // tables of its own would hold the whole picture in memory once more: 70 MB for 12 million pixels, for 7 % of the size
  if (format === 'jpeg') picture.jpeg({ quality: 85, optimiseCoding: false });
  else if (format === 'png') picture.png({ compressionLevel: 6 });
  else if (format === 'webp') picture.webp({ quality: 85, effort: 2 });
  else picture.gif({ effort: 3 });
  const made = await picture.toFile(output);
  await sharp(output, { limitInputPixels: maxPixels })
    .resize({ width: THUMBNAIL_SIDE, height: THUMBNAIL_SIDE, fit: 'inside', withoutEnlargement: true })
    .webp({ quality: 75, effort: 2 })
    .toFile(thumbnail);
  return { width: made.width, height: made.pageHeight ?? made.height };
}
