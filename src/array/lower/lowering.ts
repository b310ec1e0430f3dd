/** What a lowering rule is: it turns one traced operation into ONNX nodes. */

import type { LoweringGraph } from './graph.ts';
import type { ArrayType, Value } from './value.ts';

/** The operation as the trace recorded it. */
export interface Operation {
  readonly params: Readonly<Record<string, unknown>>;
  readonly inputTypes: readonly ArrayType[];
  readonly outputTypes: readonly ArrayType[];
  /** Whether the result is only a reference point that no gradient passes, as softmax's maximum is. */
  readonly isReference: boolean;
}

/** Emits the nodes of one operation and returns its results. */
export type Lowering = (
  graph: LoweringGraph,
  inputs: readonly Value[],
  operation: Operation,
) => Value[];

export type Lowerings = Readonly<Record<string, Lowering>>;
