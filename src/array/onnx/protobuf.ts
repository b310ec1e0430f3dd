/** Protocol-buffer wire format: just the parts that ONNX models use. */

const encoder = new TextEncoder();

/** Appends protobuf fields to a growing list of chunks; large byte fields are not copied until the end. */
export class ProtobufWriter {
  readonly #chunks: Uint8Array[] = [];
  #small: number[] = [];
  #length = 0;

  /** Bytes written so far. */
  get length(): number {
    return this.#length + this.#small.length;
  }

  #varint(value: number | bigint): void {
    if (typeof value === 'number' && value >= 0 && value < 0x80000000) {
      let rest = value;
      while (rest > 0x7f) {
        this.#small.push((rest & 0x7f) | 0x80);
        rest >>>= 7;
      }
      this.#small.push(rest);
      return;
    }
    let rest = BigInt.asUintN(64, BigInt(value));
    while (rest > 0x7fn) {
      this.#small.push(Number(rest & 0x7fn) | 0x80);
      rest >>= 7n;
    }
    this.#small.push(Number(rest));
  }

  #flush(): void {
    if (this.#small.length === 0) return;
    const chunk = Uint8Array.from(this.#small);
    this.#chunks.push(chunk);
    this.#length += chunk.length;
    this.#small = [];
  }

  /** An integer field; negative numbers take ten bytes, as protobuf's int64. */
  integer(field: number, value: number | bigint): this {
    this.#varint(field * 8);
    this.#varint(value);
    return this;
  }

  /** A repeated integer field, packed. */
  integers(field: number, values: readonly (number | bigint)[]): this {
    const packed = new ProtobufWriter();
    for (const value of values) packed.#varint(value);
    return this.bytes(field, packed.finish());
  }

  /** A 32-bit float field. */
  float(field: number, value: number): this {
    this.#varint(field * 8 + 5);
    this.#small.push(...new Uint8Array(new Float32Array([value]).buffer));
    return this;
  }

  /** A repeated 32-bit float field, packed. */
  floats(field: number, values: readonly number[]): this {
    return this.bytes(field, new Uint8Array(new Float32Array(values).buffer));
  }

  string(field: number, value: string): this {
    return this.bytes(field, encoder.encode(value));
  }

  bytes(field: number, value: Uint8Array): this {
    this.#varint(field * 8 + 2);
    this.#varint(value.length);
    this.#flush();
    this.#chunks.push(value);
    this.#length += value.length;
    return this;
  }

  message(field: number, value: ProtobufWriter): this {
    this.#varint(field * 8 + 2);
    this.#varint(value.length);
    this.#flush();
    value.#flush();
    this.#chunks.push(...value.#chunks);
    this.#length += value.#length;
    return this;
  }

  /** All bytes in one array. */
  finish(): Uint8Array {
    this.#flush();
    const result = new Uint8Array(this.#length);
    let offset = 0;
    for (const chunk of this.#chunks) {
      result.set(chunk, offset);
      offset += chunk.length;
    }
    return result;
  }
}

/** One field as found on the wire. */
export interface ProtobufField {
  readonly number: number;
  /** Varint or fixed bits; zero for length-delimited fields. */
  readonly bits: bigint;
  /** The bytes of a length-delimited or fixed field, a view of the message. */
  readonly bytes: Uint8Array | null;
}

/** Why a message could not be read, and at which byte of it. */
export class ProtobufError extends Error {
  readonly offset: number;

  constructor(message: string, offset: number) {
    super(message);
    this.offset = offset;
  }
}

/** The fields of a message in order. Throws `ProtobufError` where the bytes make no message. */
export function* readFields(message: Uint8Array): Generator<ProtobufField> {
  let offset = 0;
  const varint = (): bigint => {
    let value = 0n;
    for (let shift = 0n; shift < 70n; shift += 7n) {
      const byte = message[offset++];
      if (byte === undefined)
        throw new ProtobufError('the bytes end in a number', offset);
      value |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) return BigInt.asUintN(64, value);
    }
    throw new ProtobufError('a number longer than 64 bits', offset);
  };
  const take = (count: number): Uint8Array => {
    if (count > message.length - offset) {
      throw new ProtobufError(
        `a field of ${count} bytes with ${message.length - offset} left`,
        offset,
      );
    }
    offset += count;
    return message.subarray(offset - count, offset);
  };
  while (offset < message.length) {
    const key = varint();
    const number = Number(key >> 3n);
    if (number === 0) throw new ProtobufError('field number 0', offset);
    switch (Number(key & 7n)) {
      case 0:
        yield { number, bits: varint(), bytes: null };
        break;
      case 1:
        yield { number, bits: 0n, bytes: take(8) };
        break;
      case 2:
        yield { number, bits: 0n, bytes: take(Number(varint())) };
        break;
      case 5:
        yield { number, bits: 0n, bytes: take(4) };
        break;
      default:
        throw new ProtobufError(`unknown wire type ${key & 7n}`, offset);
    }
  }
}

/** The numbers of a repeated integer field, packed or one alone. */
export function readIntegers(field: ProtobufField): bigint[] {
  if (!field.bytes) return [field.bits];
  const values: bigint[] = [];
  let value = 0n;
  let shift = 0n;
  for (const byte of field.bytes) {
    value |= BigInt(byte & 0x7f) << shift;
    shift += 7n;
    if (byte < 0x80) {
      values.push(BigInt.asUintN(64, value));
      value = 0n;
      shift = 0n;
    }
  }
  if (shift !== 0n) {
    throw new ProtobufError('the bytes end in a number', field.bytes.length);
  }
  return values;
}
