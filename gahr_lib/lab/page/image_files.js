// Pictures of the reader's own. What a file says of its size is read before anything decodes it: a
// few bytes can ask for gigabytes of pixels.

const MOST_BYTES = 10 * 2 ** 20;
const MOST_SIDE = 4096;
const MOST_PIXELS = 16e6;

/** A file that is refused; its message is for the reader. */
export class Refused extends Error {}

/** The intensities of a picture, cut to its middle square, grey, side x side, in [0, 1]. */
export async function readImage(file, side) {
  if (file.size > MOST_BYTES) {
    throw new Refused("It is larger than the 10 MB that are read. Save a smaller copy and open that.");
  }
  const bytes = new Uint8Array(await file.arrayBuffer());
  const { type, width, height } = describe(bytes);
  refuseHuge(width, height);
  let bitmap;
  try {
    bitmap = await createImageBitmap(new Blob([bytes], { type }));
  } catch {
    throw new Refused("The picture cannot be decoded: the file is damaged or cut short. Open another one.");
  }
  try {
    refuseHuge(bitmap.width, bitmap.height);
    return await toIntensities(bitmap, side);
  } finally {
    bitmap.close();
  }
}

function refuseHuge(width, height) {
  if (!(width > 0 && height > 0)) throw new Refused("The picture has no pixels.");
  if (Math.max(width, height) > MOST_SIDE || width * height > MOST_PIXELS) {
    throw new Refused(
      `The picture has ${width} × ${height} pixels; at most ${MOST_SIDE} a side and 16 million are read. ` +
        "Save a smaller copy and open that.",
    );
  }
}

/** Type, width and height of a PNG, JPEG or WebP, as its head says. */
function describe(bytes) {
  const view = new DataView(bytes.buffer);
  const text = (at, length) => String.fromCharCode(...bytes.subarray(at, at + length));
  try {
    if (text(0, 8) === "\x89PNG\r\n\x1a\n" && text(12, 4) === "IHDR") {
      return { type: "image/png", width: view.getUint32(16), height: view.getUint32(20) };
    }
    if (text(0, 3) === "\xff\xd8\xff") return { type: "image/jpeg", ...jpegSize(view) };
    if (text(0, 4) === "RIFF" && text(8, 4) === "WEBP") return { type: "image/webp", ...webpSize(view, text(12, 4)) };
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    throw new Refused("The file is cut short.");
  }
  throw new Refused("The file is no PNG, JPEG or WebP picture; others are not read. Save it as one of these.");
}

/** Height and width stand in the frame header, behind any number of other segments. */
function jpegSize(view) {
  for (let at = 2; ; ) {
    if (view.getUint8(at) !== 0xff) throw new Refused("The JPEG file is damaged.");
    const marker = view.getUint8(at + 1);
    if (marker === 0xff) {
      at += 1; // filling
      continue;
    }
    // These have no length: whoever decodes the file goes on at once, and would see another frame.
    if (marker <= 0x01 || (marker >= 0xd0 && marker <= 0xda)) throw new Refused("The JPEG file is damaged.");
    const isFrame = marker >= 0xc0 && marker <= 0xcf && ![0xc4, 0xc8, 0xcc].includes(marker);
    if (isFrame) return { height: view.getUint16(at + 5), width: view.getUint16(at + 7) };
    at += 2 + view.getUint16(at + 2);
  }
}

function webpSize(view, kind) {
  const three = (at) => view.getUint16(at, true) + (view.getUint8(at + 2) << 16);
  if (kind === "VP8X") return { width: three(24) + 1, height: three(27) + 1 };
  if (kind === "VP8L") {
    const bits = view.getUint32(21, true);
    return { width: (bits & 0x3fff) + 1, height: ((bits >>> 14) & 0x3fff) + 1 };
  }
  if (kind === "VP8 ") {
    return { width: view.getUint16(26, true) & 0x3fff, height: view.getUint16(28, true) & 0x3fff };
  }
  throw new Refused("The WebP file is damaged.");
}

async function toIntensities(bitmap, side) {
  const cut = Math.min(bitmap.width, bitmap.height);
  const [left, top] = [(bitmap.width - cut) >> 1, (bitmap.height - cut) >> 1];
  const options = { resizeWidth: side, resizeHeight: side, resizeQuality: "high" };
  const small = await createImageBitmap(bitmap, left, top, cut, cut, options);
  const context = new OffscreenCanvas(side, side).getContext("2d", { willReadFrequently: true });
  context.fillStyle = "#000"; // behind what is transparent
  context.fillRect(0, 0, side, side);
  context.drawImage(small, 0, 0);
  small.close();
  const { data } = context.getImageData(0, 0, side, side);
  // The weights of red, green and blue in the luma of ITU-R BT.601.
  return Float32Array.from(
    { length: side * side },
    (_, i) => (0.299 * data[4 * i] + 0.587 * data[4 * i + 1] + 0.114 * data[4 * i + 2]) / 255,
  );
}
