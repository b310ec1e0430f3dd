/** A pretend lab: jobs that advance on a timer, and the results they leave. */

import { createHash, randomUUID } from 'node:crypto';
import { EventEmitter } from 'node:events';
import type {
  ArtifactRequest,
  ClaimRequest,
  ComparisonRequest,
  JobItem,
  StoredResultItem,
} from '../../../src/server/schema.ts';
import { papers } from './catalog.ts';
import { methods } from './methods.ts';
import {
  claimResult,
  defaultCandidates,
  failure,
  measure,
  recommend,
  reference,
} from './outcomes.ts';

type Row = JobItem['rows'][number];
type Draft = { -readonly [Key in keyof JobItem]: JobItem[Key] };

export class PretendLab {
  readonly jobs: JobItem[] = [];
  readonly results = new Map<string, StoredResultItem>();
  readonly events = new EventEmitter();
  readonly #stepMilliseconds: number;
  readonly #timers = new Set<NodeJS.Timeout>();

  constructor(stepMilliseconds: number) {
    this.#stepMilliseconds = stepMilliseconds;
    this.events.setMaxListeners(100);
  }

  compare(request: ComparisonRequest): JobItem {
    const candidates = request.candidates ?? defaultCandidates;
    const rows: Row[] = [reference];
    for (const { method, options } of candidates) {
      const row = measure(method, options);
      const bits = Number(row.options.bits);
      const fails = method === 'integer-quantization' && bits < 4;
      rows.push(fails ? failure(row, 'bits: expected at least 4, got 3') : row);
    }
    const title = `Compare ${rows.length - 1} rivals on ${request.inputs.model ?? 'models/nano'}`;
    const job = this.#add('comparison', title, request);
    this.#advance(
      job,
      rows.length * 4,
      (done) => {
        job.rows = rows.slice(0, Math.floor(done / 4));
        const current = rows[Math.min(rows.length - 1, Math.floor(done / 4))]!;
        return `${current.method}: layer ${1 + (done % 4)} of 4`;
      },
      () =>
        this.#store(job, {
          task: request.task,
          inputs: { model: 'models/nano', ...request.inputs },
          rows,
          recommendation: recommend(rows),
        }),
    );
    return job as JobItem;
  }

  claim(request: ClaimRequest): JobItem {
    const seeds = request.seeds ?? [0, 1, 2];
    const job = this.#add('claim', `Claim of ${request.paper}`, request);
    this.#advance(
      job,
      20,
      (done) => `seed ${Math.floor(done / 7)}: training, step ${done * 60} of 1200`,
      () => {
        const result = claimResult(request.paper, seeds);
        const stored = this.#store(job, result);
        const paper = papers.find((candidate) => candidate.slug === request.paper)!;
        paper.verdict = {
          holds: result.holds,
          result: stored.id,
          finishedAt: stored.finishedAt,
        };
        return stored;
      },
    );
    return job as JobItem;
  }

  artifact(request: ArtifactRequest): JobItem {
    const job = this.#add(
      'artifact',
      `Make ${request.method} of ${request.inputs.model}`,
      request,
    );
    const formats = request.formats ?? ['safetensors'];
    const names = [
      ...formats.map((format) => `model.${format}`),
      'recipe.json',
      'README.md',
    ];
    this.#advance(
      job,
      6,
      (done) => `layer ${done} of 6`,
      () =>
        this.#store(job, {
          task: request.task,
          method: request.method,
          options: request.options,
          files: names.map((name, index) => ({
            name,
            bytes: index < formats.length ? 1_730_412 : 1204,
            sha256: digest(name),
          })),
          recipe: {
            ...request,
            hashes: { model: digest('model') },
            seed: request.seed ?? 0,
            version: '0.1.0',
          },
          seconds: 9.4,
          peakBytes: 57_000_000,
        }),
    );
    return job as JobItem;
  }

  cancel(id: string): JobItem | undefined {
    const job = this.jobs.find((candidate) => candidate.id === id);
    if (job && (job.state === 'running' || job.state === 'queued')) {
      this.#finish(job as Draft, 'cancelled');
    }
    return job;
  }

  stop(): void {
    for (const timer of this.#timers) clearInterval(timer);
  }

  #add(kind: JobItem['kind'], title: string, request: unknown): Draft {
    const job = {
      id: randomUUID(),
      kind,
      title,
      request,
      state: 'running',
      progress: null,
      rows: [],
      result: null,
      error: null,
      createdAt: now(),
      startedAt: now(),
      finishedAt: null,
    } as unknown as Draft;
    this.jobs.unshift(job as JobItem);
    return job;
  }

  #advance(
    job: Draft,
    total: number,
    step: (done: number) => string,
    finish: () => StoredResultItem,
  ): void {
    let done = 0;
    const timer = setInterval(() => {
      if (job.state !== 'running') {
        clearInterval(timer);
        return;
      }
      done++;
      const secondsLeft = ((total - done) * this.#stepMilliseconds) / 1000;
      job.progress = { done, total, label: step(done), secondsLeft };
      if (done === total) {
        job.result = finish().id;
        this.#finish(job, 'done');
        clearInterval(timer);
      } else {
        this.events.emit(job.id, job);
      }
    }, this.#stepMilliseconds);
    this.#timers.add(timer);
  }

  #finish(job: Draft, state: JobItem['state']): void {
    job.state = state;
    job.finishedAt = now();
    this.events.emit(job.id, job);
  }

  #store(job: Draft, result: unknown): StoredResultItem {
    const id = digest(JSON.stringify([job.id, result]));
    const stored = {
      id,
      kind: job.kind,
      fingerprint: digest(JSON.stringify(job.request)),
      title: job.title,
      request: job.request,
      result,
      hashes: { model: digest('model'), eval: digest('eval') },
      seed: (job.request as ComparisonRequest).seed ?? 0,
      versions: { assay: '0.1.0', node: '24.21.0', 'onnxruntime-node': '1.30.0' },
      machine: {
        cpu: 'Example CPU',
        cores: 2,
        memoryBytes: 8 * 2 ** 30,
        os: 'linux x64',
      },
      startedAt: job.startedAt,
      finishedAt: now(),
      seconds: 31.2,
    } as unknown as StoredResultItem;
    this.results.set(id, stored);
    return stored;
  }
}

export function knownMethod(name: string): boolean {
  return methods.some((method) => method.name === name);
}

function now(): string {
  return new Date().toISOString();
}

function digest(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}
