/** Lowers a whole traced function to an ONNX model. */

import type { Jaxpr } from '@jax-js/jax';
import { type AnyTensor, type DataType, elementCount } from '../tensor.ts';
import { UnsupportedError } from '../unsupported.ts';
import { bitLowerings } from './bits.ts';
import { convolutionLowerings } from './convolution.ts';
import { dotLowerings } from './dot.ts';
import { elementwiseLowerings } from './elementwise.ts';
import { LoweringGraph } from './graph.ts';
import { indexingLowerings } from './indexing.ts';
import type { Lowerings } from './lowering.ts';
import { reductionLowerings } from './reduction.ts';
import { shapeLowerings } from './shape.ts';
import { sortingLowerings } from './sorting.ts';
import type { ArrayType, Value } from './value.ts';

const lowerings: Lowerings = {
  ...elementwiseLowerings,
  ...reductionLowerings,
  ...dotLowerings,
  ...shapeLowerings,
  ...indexingLowerings,
  ...sortingLowerings,
  ...convolutionLowerings,
  ...bitLowerings,
};

/** A traced function as a model. */
export interface LoweredModel {
  readonly bytes: Uint8Array;
  /** Name of each argument in the model, or null where the result does not depend on it. */
  readonly inputs: readonly (string | null)[];
  readonly outputs: readonly string[];
  /** Large constants of the trace, fed with every call instead of being baked in. */
  readonly feeds: Readonly<Record<string, AnyTensor>>;
}

/** Constants up to this many elements become part of the model. */
const largestBakedConstant = 1024;

type Atom = Jaxpr['outs'][number];
type Variable = Jaxpr['inBinders'][number];

function typeOf(atom: Atom): ArrayType {
  return { ...atom.aval, dtype: atom.aval.dtype as DataType };
}

/** Operations that only move the elements of a reference point. */
const moves = new Set(['reshape', 'broadcast', 'transpose']);

/** Variables whose every use, possibly after moves, is a `stop_gradient`. */
function referencePoints(jaxpr: Jaxpr): Set<Atom> {
  const others = new Set<Atom>(jaxpr.outs);
  const references = new Set<Atom>();
  for (const eqn of jaxpr.eqns.toReversed()) {
    const [result] = eqn.outBinders;
    const isReference =
      eqn.primitive === 'stop_gradient' ||
      (moves.has(eqn.primitive) && references.has(result!) && !others.has(result!));
    for (const input of eqn.inputs) (isReference ? references : others).add(input);
  }
  return references.difference(others);
}

/** One value that all elements have, or undefined. */
function uniformValue(tensor: AnyTensor): number | undefined {
  const { data } = tensor;
  const first = data[0]!;
  for (let index = 1; index < data.length; index++) {
    if (!Object.is(data[index], first)) return undefined;
  }
  return Number(first);
}

/**
 * Lowers a flattened, simplified trace. Its first arguments are `constants`; the rest are
 * inputs that are fed as `fedTypes` and cast to the traced type inside.
 * Throws `UnsupportedError` naming the first primitive that has no lowering.
 */
export function lowerJaxpr(
  jaxpr: Jaxpr,
  constants: readonly AnyTensor[],
  fedTypes: readonly DataType[],
): LoweredModel {
  const graph = new LoweringGraph();
  const values = new Map<Variable, Value>();
  const feeds: Record<string, AnyTensor> = {};
  const inputs: (string | null)[] = [];
  const used = new Set<Atom>([...jaxpr.outs, ...jaxpr.eqns.flatMap((eqn) => eqn.inputs)]);

  for (const [index, variable] of jaxpr.inBinders.entries()) {
    const { shape, dtype } = typeOf(variable);
    const isConstant = index < constants.length;
    const fed = isConstant ? dtype : fedTypes[index - constants.length]!;
    if (!used.has(variable) || elementCount(shape) === 0) {
      if (!isConstant) inputs.push(null);
      values.set(variable, graph.filled(0, dtype, shape));
      continue;
    }
    if (isConstant) {
      const tensor = constants[index]!;
      const uniform = uniformValue(tensor);
      if (uniform !== undefined) {
        values.set(variable, graph.filled(uniform, dtype, shape));
        continue;
      }
      if (elementCount(shape) <= largestBakedConstant) {
        const name = graph.builder.constant(tensor);
        values.set(variable, { name, dtype, shape, stored: shape });
        continue;
      }
    }
    const wished = isConstant ? `constant${index}` : `input${index - constants.length}`;
    const name = graph.builder.input(wished, fed, shape);
    if (isConstant) feeds[name] = constants[index]!;
    else inputs.push(name);
    const value: Value = { name, dtype: fed, shape, stored: shape };
    values.set(variable, graph.cast(value, dtype));
  }

  const read = (atom: Atom): Value => {
    if ('value' in atom) {
      const { dtype } = typeOf(atom);
      return graph.filled(Number(atom.value), dtype, []);
    }
    return values.get(atom)!;
  };
  const references = referencePoints(jaxpr);
  for (const eqn of jaxpr.eqns) {
    const outputTypes = eqn.outBinders.map(typeOf);
    const lowering = lowerings[eqn.primitive];
    if (!lowering) {
      throw new UnsupportedError(
        `the primitive "${eqn.primitive}" is not lowered to ONNX yet`,
      );
    }
    const results = outputTypes.every(({ shape }) => elementCount(shape) === 0)
      ? outputTypes.map(({ dtype, shape }) => graph.filled(0, dtype, shape))
      : lowering(graph, eqn.inputs.map(read), {
          params: eqn.params,
          inputTypes: eqn.inputs.map(typeOf),
          outputTypes,
          isReference: references.has(eqn.outBinders[0]!),
        });
    for (const [index, variable] of eqn.outBinders.entries()) {
      // Simplifying the trace may have put a narrower type in an operand's place.
      values.set(variable, graph.cast(results[index]!, outputTypes[index]!.dtype));
    }
  }

  // Tensors that a node makes for one output only; the others are copied.
  const taken = new Set(inputs.concat(Object.keys(feeds)));
  const outputs = jaxpr.outs.map((atom, index) => {
    const { dtype, shape } = typeOf(atom);
    const value = graph.expand(graph.cast({ ...read(atom), shape }, dtype));
    let { name } = value;
    if (taken.has(name) || graph.builder.isConstant(name)) {
      name = `output${index}`;
      graph.builder.node('Identity', [value.name], {}, { outputs: [name] });
    }
    taken.add(name);
    graph.builder.output(name, dtype, shape);
    return name;
  });
  return { bytes: graph.builder.encode(), inputs, outputs, feeds };
}
