/** The library's front door: what every task and method shares. Rooms have doors of their own. */

export {
  AssayError,
  CancelledError,
  type ErrorCode,
  InvalidFileError,
  InvalidInputError,
} from './error.ts';
export { type CompareRequest, type Comparison, compare } from './lab/compare.ts';
export { reproduce } from './lab/reproduce.ts';
export type { Claim, ClaimResult, ClaimRow, Gate } from './nouns/claim.ts';
export {
  type AnyMethod,
  defineMethod,
  type Estimate,
  type Method,
} from './nouns/method.ts';
export type { Paper, PaperStatus, Room } from './nouns/paper.ts';
export {
  type Checkpoint,
  memoryCheckpoint,
  type Progress,
  type RunContext,
  runContext,
} from './nouns/run.ts';
export {
  type AnyTask,
  type Candidate,
  type ComparisonRow,
  defineTask,
  type Metric,
  type Recommendation,
  type Task,
} from './nouns/task.ts';
export { createRegistry, type Registry, registry } from './registry.ts';
