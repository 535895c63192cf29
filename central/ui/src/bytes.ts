// Raw bytes, readable: offset, hexadecimal, and what of it is text. Pure.

export interface Line {
  at: string;
  hex: string;
  text: string;
}

export const BYTES_PER_LINE = 16;

/** What `raw_hex` says, in lines of 16 bytes; at most `limit` lines. */
export function lines(rawHex: string, limit: number): Line[] {
  const found: Line[] = [];
  for (let at = 0; at * 2 < rawHex.length && found.length < limit; at += BYTES_PER_LINE) {
    const bytes = rawHex.slice(at * 2, (at + BYTES_PER_LINE) * 2).match(/../g) ?? [];
    found.push({
      at: at.toString(16).padStart(6, '0'),
      hex: bytes.map((byte, index) => (index === 8 ? ` ${byte}` : byte)).join(' '),
      text: bytes.map((byte) => readable(parseInt(byte, 16))).join(''),
    });
  }
  return found;
}

const readable = (byte: number) => (byte >= 0x20 && byte < 0x7f ? String.fromCharCode(byte) : '·');
