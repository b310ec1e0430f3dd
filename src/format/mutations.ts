/** Seeded random damage to bytes, for tests that readers refuse malformed files. */

/** A small generator of whole numbers below a bound (xorshift, 32 bits). */
export function seededIntegers(seed: number): (below: number) => number {
  let state = (seed * 2654435761 + 1) >>> 0 || 1;
  return (below) => {
    state ^= state << 13;
    state >>>= 0;
    state ^= state >>> 17;
    state ^= state << 5;
    state >>>= 0;
    return Math.floor((state / 0x1_0000_0000) * below);
  };
}

const extremes = [0, 1, 0x7f, 0x80, 0xff];

/** A damaged copy: bytes changed, cut, repeated or inserted in one to four places. */
export function mutate(
  bytes: Uint8Array,
  integer: (below: number) => number,
): Uint8Array {
  let result = Uint8Array.from(bytes);
  const times = 1 + integer(4);
  for (let time = 0; time < times; time++) {
    if (result.length === 0) return result;
    const at = integer(result.length);
    const length = Math.min(1 + integer(16), result.length - at);
    switch (integer(7)) {
      case 0:
        result[at] = result[at]! ^ (1 << integer(8));
        break;
      case 1:
        result[at] = integer(256);
        break;
      case 2:
        result.fill(extremes[integer(extremes.length)]!, at, at + length);
        break;
      case 3:
        result = result.slice(0, at);
        break;
      case 4:
        result = joined(result.subarray(0, at), result.subarray(at + length));
        break;
      case 5:
        result = joined(result.subarray(0, at + length), result.subarray(at));
        break;
      default:
        result.copyWithin(at, integer(result.length), integer(result.length));
    }
  }
  return result;
}

function joined(left: Uint8Array, right: Uint8Array): Uint8Array<ArrayBuffer> {
  const result = new Uint8Array(left.length + right.length);
  result.set(left);
  result.set(right, left.length);
  return result;
}
