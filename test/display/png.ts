import { crc32 } from 'node:zlib';

export interface PngFile {
  readonly width: number;
  readonly height: number;
  /** Types of the chunks, in order. */
  readonly chunks: readonly string[];
  /** Keyword and text of the tEXt chunks. */
  readonly texts: Readonly<Record<string, string>>;
}

/** Reads the structure of a PNG file, and throws where it does not keep to the specification. */
export function readPng(bytes: Uint8Array): PngFile {
  const file = Buffer.from(bytes);
  if (file.subarray(0, 8).toString('latin1') !== '\x89PNG\r\n\x1a\n') throw new Error('no PNG signature');
  const chunks: string[] = [];
  const texts: Record<string, string> = {};
  for (let at = 8; at < file.length; ) {
    const length = file.readUInt32BE(at);
    const type = file.toString('latin1', at + 4, at + 8);
    const data = file.subarray(at + 8, at + 8 + length);
    if (crc32(file.subarray(at + 4, at + 8 + length)) !== file.readUInt32BE(at + 8 + length)) {
      throw new Error(`the CRC of ${type} is wrong`);
    }
    chunks.push(type);
    if (type === 'tEXt') {
      const [keyword = '', text = ''] = data.toString('latin1').split('\0');
      texts[keyword] = text;
    }
    at += 12 + length;
  }
  if (chunks[0] !== 'IHDR' || chunks.at(-1) !== 'IEND') throw new Error(`wrong order of chunks: ${chunks}`);
  return { width: file.readUInt32BE(16), height: file.readUInt32BE(20), chunks, texts };
}
