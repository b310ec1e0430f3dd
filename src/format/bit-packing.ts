/** Codes of 2 to 8 bits as one stream of bits, lowest bit first. */

/** Bytes that `count` codes take. */
export function packedBytes(count: number, bits: number): number {
  return Math.ceil((count * bits) / 8);
}

/** Packs codes into bytes: code `i` takes the bits from `i * bits`, lowest first. */
export function packBits(codes: Uint8Array, bits: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(packedBytes(codes.length, bits));
  let pending = 0;
  let filled = 0;
  let at = 0;
  for (const code of codes) {
    pending |= code << filled;
    filled += bits;
    while (filled >= 8) {
      bytes[at++] = pending;
      pending >>>= 8;
      filled -= 8;
    }
  }
  if (filled > 0) bytes[at] = pending;
  return bytes;
}

/** The first `count` codes of a packed stream. */
export function unpackBits(bytes: Uint8Array, bits: number, count: number): Uint8Array {
  const codes = new Uint8Array(count);
  const mask = (1 << bits) - 1;
  let pending = 0;
  let filled = 0;
  let at = 0;
  for (let index = 0; index < count; index++) {
    if (filled < bits) {
      pending |= bytes[at++]! << filled;
      filled += 8;
    }
    codes[index] = pending & mask;
    pending >>>= bits;
    filled -= bits;
  }
  return codes;
}
