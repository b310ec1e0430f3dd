/** Types of the API that the pages use, named once. */

import type {
  ArtifactItem,
  ArtifactRequest,
  ClaimRequest,
  ComparisonRequest,
  Health,
  JobItem,
  JobList,
  MethodInfo,
  MethodList,
  PaperDetail,
  PaperItem,
  PaperList,
  RoomList,
  StoredComparisonItem,
  StoredResultItem,
  TaskInfo,
  TaskList,
} from '../../../src/server/schema.ts';

export type {
  ArtifactItem,
  ArtifactRequest,
  ClaimRequest,
  ComparisonRequest,
  Health,
  JobItem,
  JobList,
  MethodInfo,
  MethodList,
  PaperDetail,
  PaperItem,
  PaperList,
  RoomList,
  StoredComparisonItem,
  StoredResultItem,
  TaskInfo,
  TaskList,
};

export type JobState = JobItem['state'];
export type JobOf<Kind extends JobItem['kind']> = Extract<JobItem, { kind: Kind }>;
export type ComparisonRow = JobItem['rows'][number];
export type Recommendation = NonNullable<
  StoredComparisonItem['result']['recommendation']
>;
export type Metric = TaskInfo['metrics'][number];
export type ClaimOutcome = NonNullable<PaperDetail['latest']>;
export type RoomItem = RoomList['items'][number];
export type Options = Record<string, unknown>;
/** A JSON Schema of a flat object, as the API sends it. */
export type JsonSchema = Record<string, unknown>;
