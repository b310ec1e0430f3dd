/** What a comparison is called on its page: the task and what the user pointed at. */

import type { ComparisonRequest, TaskInfo } from '../api/types.ts';
import { readFields } from '../form/fields.ts';
import { lastPart } from './format.ts';

interface Named {
  readonly title: string;
  readonly request: ComparisonRequest;
}

/** `Quantize a language model: nano`; the plain title while the task is not known. */
export function nameComparison(comparison: Named, task: TaskInfo | undefined): string {
  if (!task) return comparison.title;
  const first = readFields(task.inputs)[0];
  const value = first ? (comparison.request.inputs[first.name] ?? first.default) : null;
  const name = typeof value === 'string' ? lastPart(value) : undefined;
  return name ? `${task.title}: ${name}` : task.title;
}
