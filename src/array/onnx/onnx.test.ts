/** ONNX files: round trips, ONNX Runtime's own reading, and refusal of bad or unsafe bytes. */

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { InvalidFileError } from '../../error.ts';
import { openSession } from '../session.ts';
import { float32, int32 } from '../tensor.ts';
import { decodeModel, encodeModel, GraphBuilder, type OnnxModel } from './index.ts';
import { ProtobufWriter, readFields, readIntegers } from './protobuf.ts';

function linear(): GraphBuilder {
  const graph = new GraphBuilder('linear');
  const x = graph.input('x', 'float32', ['rows', 2]);
  const weight = graph.initializer(
    float32([2, 2], Float32Array.of(1, 2, 3, 4)),
    'weight',
  );
  graph.node('MatMul', [x, weight], {}, { outputs: ['y'], name: 'product' });
  graph.output('y', 'float32', ['rows', 2]);
  graph.metadata('made', 'for the test');
  return graph;
}

describe('protobuf', () => {
  it('returns every integer, packed or alone', () => {
    fc.assert(
      fc.property(fc.bigInt(-(2n ** 63n), 2n ** 63n - 1n), fc.nat(), (big, small) => {
        const bytes = new ProtobufWriter()
          .integer(3, big)
          .integers(4, [small, big])
          .finish();
        const [one, many] = [...readFields(bytes)];
        expect(BigInt.asIntN(64, one!.bits)).toBe(big);
        const numbers = readIntegers(many!).map((value) => BigInt.asIntN(64, value));
        expect(numbers).toEqual([BigInt(small), big]);
      }),
    );
  });

  it('refuses cut bytes', () => {
    const bytes = new ProtobufWriter().string(1, 'hello').integer(2, 300).finish();
    for (const length of [1, 3, bytes.length - 1]) {
      expect(() => [...readFields(bytes.subarray(0, length))]).toThrow();
    }
  });
});

describe('graph builder', () => {
  it('makes a model that ONNX Runtime runs at any row count', async () => {
    const session = await openSession(linear().encode(), { threads: 1 });
    const x = float32([3, 2], Float32Array.of(1, 0, 0, 1, 1, 1));
    const { y } = await session.run({ x });
    expect(y!.shape).toEqual([3, 2]);
    expect([...y!.data]).toEqual([1, 2, 3, 4, 4, 6]);
    await session.release();
  });

  it('keeps every part through encode and decode', () => {
    const graph = linear();
    graph.node(
      'TopK',
      ['y', graph.integers([1])],
      { axis: -1, largest: 0 },
      { outputs: 2 },
    );
    graph.node(
      'MatMulNBits',
      ['y', 'weight'],
      {
        K: 32,
        accuracy_level: 4,
        scale: 0.5,
        whole: { float: 2 },
        mode: 'fast',
        axes: [0, -1],
        factors: { floats: [1.5, -2] },
        names: { strings: ['a', 'b'] },
        big: { int: 2n ** 60n },
        table: {
          tensor: { name: 't', type: 'uint4', shape: [3], bytes: Uint8Array.of(1, 2) },
        },
      },
      { domain: 'com.microsoft', outputs: ['rest'] },
    );
    graph.rawInitializer('uint4', [5], Uint8Array.of(1, 2, 3), 'packed');
    graph.output('rest', 'float16', []);
    const model = graph.model();
    const again = decodeModel(encodeModel(model));
    expect(again).toEqual(model);
    expect(again.opsets).toEqual({ '': 21, 'com.microsoft': 1 });
  });

  it('shares equal nodes and constants, drops what no output needs', () => {
    const graph = new GraphBuilder();
    const x = graph.input('x', 'float32', [2]);
    const one = graph.add('Add', [x, graph.constant(float32([], Float32Array.of(1)))]);
    const two = graph.add('Add', [x, graph.constant(float32([], Float32Array.of(1)))]);
    expect(two).toBe(one);
    graph.add('Exp', [graph.constant(int32([1], Int32Array.of(3)))]);
    graph.output(one, 'float32', [2]);
    const { nodes, initializers } = graph.model().graph;
    expect(nodes.map((node) => node.operator)).toEqual(['Add']);
    expect(initializers.length).toBe(1);
  });

  it('never gives one name twice and refuses taken names and wrong sizes', () => {
    const graph = new GraphBuilder();
    const names = Array.from({ length: 50 }, () => graph.unique('a'));
    expect(new Set(names).size).toBe(50);
    graph.input('x', 'float32', []);
    expect(() => graph.input('x', 'float32', [])).toThrow(
      /name: expected a name not used/,
    );
    expect(() => graph.rawInitializer('float32', [2], new Uint8Array(4), 'w')).toThrow(
      'initializer w: expected 8 bytes for float32 [2], got 4',
    );
  });
});

describe('reading', () => {
  const message = (build: (writer: ProtobufWriter) => void) => {
    const writer = new ProtobufWriter();
    build(writer);
    return writer;
  };
  const modelWith = (part: number, inner: ProtobufWriter): Uint8Array => {
    const graph = message((writer) => writer.message(part, inner));
    const opset = message((writer) => writer.string(1, '').integer(2, 21));
    return message((writer) =>
      writer.integer(1, 10).message(7, graph).message(8, opset),
    ).finish();
  };

  it('refuses data kept in other files', () => {
    const location = message((w) => w.string(1, 'location').string(2, '/etc/passwd'));
    const tensor = message((w) =>
      w
        .integers(1, [4])
        .integer(2, 2)
        .string(8, 'stolen')
        .message(13, location)
        .integer(14, 1),
    );
    expect(() => decodeModel(modelWith(5, tensor), 'evil.onnx')).toThrow(
      'evil.onnx: tensor stolen: expected data inside the file, got a reference to another file',
    );
    const constant = message((w) =>
      w.string(1, 'value').message(5, tensor).integer(20, 4),
    );
    const node = message((w) =>
      w.string(2, 'y').string(4, 'Constant').message(5, constant),
    );
    expect(() => decodeModel(modelWith(1, node))).toThrow(/a reference to another file/);
  });

  it('refuses sparse initializers and graphs inside graphs', () => {
    expect(() =>
      decodeModel(
        modelWith(
          15,
          message((w) => w.integers(3, [2])),
        ),
      ),
    ).toThrow(/expected a dense tensor, got a sparse one/);
    const branch = message((w) => w.string(1, 'then').message(6, new ProtobufWriter()));
    const node = message((w) => w.string(4, 'If').message(5, branch));
    expect(() => decodeModel(modelWith(1, node))).toThrow(/a graph inside the graph/);
  });

  it('refuses wrong byte counts and unknown types', () => {
    const short = message((w) =>
      w.integers(1, [3]).integer(2, 1).string(8, 'w').bytes(9, new Uint8Array(8)),
    );
    expect(() => decodeModel(modelWith(5, short))).toThrow(
      'tensor w: expected 12 bytes for float32 [3], got 8',
    );
    const odd = message((w) => w.integer(2, 99));
    expect(() => decodeModel(modelWith(5, odd))).toThrow(/code 99/);
  });

  it('reads elements given one by one', () => {
    const floats = message((w) => w.integers(1, [2]).integer(2, 1).floats(4, [1.5, -2]));
    const longs = message((w) => w.integers(1, [2]).integer(2, 7).integers(7, [-1, 5]));
    const bytes = (inner: ProtobufWriter) =>
      decodeModel(modelWith(5, inner)).graph.initializers[0]!.bytes.slice().buffer;
    expect([...new Float32Array(bytes(floats))]).toEqual([1.5, -2]);
    expect([...new BigInt64Array(bytes(longs))]).toEqual([-1n, 5n]);
  });

  it('never fails on damaged files in another way than by InvalidFileError', () => {
    const bytes = linear().encode();
    fc.assert(
      fc.property(
        fc.nat(bytes.length - 1),
        fc.nat(255),
        fc.boolean(),
        (at, value, cut) => {
          const damaged = cut ? bytes.slice(0, at) : bytes.slice();
          if (!cut) damaged[at] = value;
          let model: OnnxModel | undefined;
          try {
            model = decodeModel(damaged);
          } catch (error) {
            expect(error).toBeInstanceOf(InvalidFileError);
          }
          if (model) expect(typeof model.graph.name).toBe('string');
        },
      ),
      { numRuns: 500 },
    );
  });
});
