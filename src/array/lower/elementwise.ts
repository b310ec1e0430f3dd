/** Lowers operations that work element by element. */

import type { DataType } from '../tensor.ts';
import { UnsupportedError } from '../unsupported.ts';
import type { LoweringGraph } from './graph.ts';
import type { Lowering, Lowerings } from './lowering.ts';
import { isFloat, promote, type Value } from './value.ts';

/**
 * Computes in a type that ONNX Runtime has the operator for, and casts back:
 * int64 wraps to 32 bits as the narrower type would.
 */
function through(
  graph: LoweringGraph,
  inner: DataType,
  inputs: readonly Value[],
  dtype: DataType,
  compute: (inputs: Value[]) => Value,
): Value {
  const cast = inputs.map((input) => graph.cast(input, inner));
  return graph.cast(compute(cast), dtype);
}

/** A binary operator with its forms for integers and truth values. */
function binary(
  float: (graph: LoweringGraph, inputs: readonly Value[], dtype: DataType) => Value,
  bool: string,
): Lowering {
  return (graph, inputs, { outputTypes, inputTypes }) => {
    const { dtype } = outputTypes[0]!;
    const inner = promote(inputTypes);
    const cast = inputs.map((input) => graph.cast(input, inner));
    if (dtype === 'bool') return [graph.elementwise(bool, cast, 'bool')];
    if (dtype === 'uint32') {
      return [
        through(graph, 'int64', cast, dtype, (wide) => float(graph, wide, 'int64')),
      ];
    }
    return [float(graph, cast, dtype)];
  };
}

/** `x + y`; adding a negation subtracts. */
function add(graph: LoweringGraph, [x, y]: readonly Value[], dtype: DataType): Value {
  if (y!.negates) return graph.elementwise('Sub', [x!, y!.negates], dtype);
  if (x!.negates) return graph.elementwise('Sub', [y!, x!.negates], dtype);
  return graph.elementwise('Add', [x!, y!], dtype);
}

/** `x * y`; multiplying by a reciprocal divides. */
function multiply(
  graph: LoweringGraph,
  [x, y]: readonly Value[],
  dtype: DataType,
): Value {
  if (y!.inverts) return graph.elementwise('Div', [x!, y!.inverts], dtype);
  if (x!.inverts) return graph.elementwise('Div', [y!, x!.inverts], dtype);
  return graph.elementwise('Mul', [x!, y!], dtype);
}

/** A divisor of integers with its zeros made one: dividing by zero would end the process. */
function safeDivisor(graph: LoweringGraph, divisor: Value): Value {
  const zero = graph.filled(0, 'int64', []);
  const one = graph.filled(1, 'int64', []);
  const isZero = graph.elementwise('Equal', [divisor, zero], 'bool');
  return graph.elementwise('Where', [isZero, one, divisor], 'int64');
}

/** Quotient rounded to zero; of integers by zero: the dividend. */
const divideInteger: Lowering = (graph, inputs, { inputTypes, outputTypes }) => {
  const { dtype } = outputTypes[0]!;
  const inner = promote(inputTypes);
  const [x, y] = inputs.map((input) => graph.cast(input, inner));
  if (isFloat(inner)) {
    return [truncate(graph, graph.elementwise('Div', [x!, y!], inner))];
  }
  // In int64 the smallest int32 divided by -1 does not overflow.
  return [
    through(graph, 'int64', [x!, y!], dtype, ([wideX, wideY]) =>
      graph.elementwise('Div', [wideX!, safeDivisor(graph, wideY!)], 'int64'),
    ),
  ];
};

/** Rounds to zero. */
function truncate(graph: LoweringGraph, value: Value): Value {
  const { dtype } = value;
  const size = graph.elementwise(
    'Floor',
    [graph.elementwise('Abs', [value], dtype)],
    dtype,
  );
  const sign = graph.elementwise('Sign', [value], dtype);
  return graph.elementwise('Mul', [size, sign], dtype);
}

/** Remainder with the dividend's sign; of integers by zero: zero. */
const remainder: Lowering = (graph, inputs, { inputTypes, outputTypes }) => {
  const { dtype } = outputTypes[0]!;
  const inner = promote(inputTypes);
  const cast = inputs.map((input) => graph.cast(input, inner));
  if (isFloat(inner)) return [graph.elementwise('Mod', cast, dtype, { fmod: 1 })];
  return [
    through(graph, 'int64', cast, dtype, ([x, y]) =>
      graph.elementwise('Mod', [x!, safeDivisor(graph, y!)], 'int64', { fmod: 1 }),
    ),
  ];
};

const extreme =
  (operator: 'Min' | 'Max'): Lowering =>
  (graph, inputs, { inputTypes, outputTypes }) => {
    const { dtype } = outputTypes[0]!;
    const cast = inputs.map((input) => graph.cast(input, promote(inputTypes)));
    if (dtype !== 'bool') return [graph.elementwise(operator, cast, dtype)];
    return [graph.elementwise(operator === 'Min' ? 'And' : 'Or', cast, 'bool')];
  };

/** A function of floats; `single` says that ONNX Runtime has it for float32 only. */
const floatFunction =
  (operator: string, single = false): Lowering =>
  (graph, [x]) => {
    const { dtype } = x!;
    if (!isFloat(dtype)) {
      throw new UnsupportedError(`${operator.toLowerCase()} of ${dtype} is not lowered`);
    }
    if (single && dtype === 'float64') {
      throw new UnsupportedError(
        `${operator.toLowerCase()} of float64 is not lowered: ONNX Runtime has float32 only`,
      );
    }
    return [graph.elementwise(operator, [x!], dtype)];
  };

/** Floor and ceil, which leave integers as they are. */
const rounding =
  (operator: string): Lowering =>
  (graph, [x]) => [isFloat(x!.dtype) ? graph.elementwise(operator, [x!], x!.dtype) : x!];

const negate: Lowering = (graph, [x]) => {
  const { dtype } = x!;
  const value =
    dtype === 'uint32'
      ? through(graph, 'int64', [x!], dtype, ([wide]) =>
          graph.elementwise('Neg', [wide!], 'int64'),
        )
      : graph.elementwise('Neg', [x!], dtype);
  return [{ ...value, negates: x! }];
};

const reciprocal: Lowering = (graph, [x]) => {
  const value = graph.elementwise('Reciprocal', [x!], x!.dtype);
  return [{ ...value, inverts: x! }];
};

const compare: Lowering = (graph, inputs, { params, inputTypes }) => {
  const inner = promote(inputTypes);
  const isEquality = params.op === 'equal' || params.op === 'not_equal';
  const supported =
    inner === 'uint32' ? 'int64' : inner === 'bool' && !isEquality ? 'int32' : inner;
  const cast = inputs.map((input) => graph.cast(graph.cast(input, inner), supported));
  const operators: Record<string, string> = {
    less: 'Less',
    less_equal: 'LessOrEqual',
    equal: 'Equal',
    not_equal: 'Equal',
  };
  const result = graph.elementwise(operators[params.op as string]!, cast, 'bool');
  if (params.op !== 'not_equal') return [result];
  return [graph.elementwise('Not', [result], 'bool')];
};

const where: Lowering = (graph, [condition, x, y], { inputTypes }) => {
  const dtype = promote(inputTypes.slice(1));
  const supported = dtype === 'uint32' ? 'int64' : dtype === 'bool' ? 'uint8' : dtype;
  const cast = [x!, y!].map((value) => graph.cast(graph.cast(value, dtype), supported));
  return [
    graph.cast(graph.elementwise('Where', [condition!, ...cast], supported), dtype),
  ];
};

/**
 * `erfc` with a fractional error below 1.2e-7 everywhere: Chebyshev fit of Press et al.,
 * Numerical Recipes, section 6.2, in `t = 1 / (1 + |x| / 2)`.
 */
const erfcCoefficients = [
  -1.26551223, 1.00002368, 0.37409196, 0.09678418, -0.18628806, 0.27886807, -1.13520398,
  1.48851587, -0.82215223, 0.17087277,
];

const complementaryError: Lowering = (graph, [x]) => {
  const { dtype } = x!;
  if (dtype === 'float64') {
    throw new UnsupportedError('erfc of float64 is not lowered');
  }
  const number = (value: number) => graph.filled(value, dtype, []);
  const op = (operator: string, ...inputs: Value[]) =>
    graph.elementwise(operator, inputs, dtype);
  const size = op('Abs', x!);
  const t = op('Reciprocal', op('Add', op('Mul', size, number(0.5)), number(1)));
  let sum = number(0);
  for (const coefficient of erfcCoefficients.toReversed()) {
    sum = op('Add', op('Mul', sum, t), number(coefficient));
  }
  const tail = op('Mul', t, op('Exp', op('Sub', sum, op('Mul', size, size))));
  const isNegative = graph.elementwise('Less', [x!, number(0)], 'bool');
  return [op('Where', isNegative, op('Sub', number(2), tail), tail)];
};

export const elementwiseLowerings: Lowerings = {
  add: binary(add, 'Or'),
  mul: binary(multiply, 'And'),
  idiv: divideInteger,
  mod: remainder,
  min: extreme('Min'),
  max: extreme('Max'),
  neg: negate,
  reciprocal,
  floor: rounding('Floor'),
  ceil: rounding('Ceil'),
  stop_gradient: (_, [x]) => [x!],
  cast: (graph, [x], { params }) => [graph.cast(x!, params.dtype as DataType)],
  sin: floatFunction('Sin'),
  cos: floatFunction('Cos'),
  asin: floatFunction('Asin', true),
  atan: floatFunction('Atan', true),
  exp: floatFunction('Exp'),
  log: floatFunction('Log'),
  erf: floatFunction('Erf', true),
  erfc: complementaryError,
  sqrt: floatFunction('Sqrt'),
  compare,
  where,
};
