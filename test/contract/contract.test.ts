/** What every method owes its user, checked on all registered methods without a line about any of them. */

import { beforeAll, describe, expect, it } from 'vitest';
import { registry } from '../../src/registry.ts';
import { artifactChecks } from './artifact-checks.ts';
import { optionsChecks } from './options-checks.ts';
import { runChecks } from './run-checks.ts';
import { createSubject, type Subject } from './subject.ts';

const checks = { ...optionsChecks, ...runChecks, ...artifactChecks };

it('has at least 25 checks', () => {
  expect(Object.keys(checks).length).toBeGreaterThanOrEqual(25);
});

describe.each(registry.methods.map((method) => [method.name, method] as const))(
  '%s',
  (_name, method) => {
    let subject: Subject;
    beforeAll(async () => {
      const task = registry.tasks.find(({ name }) => name === method.task)!;
      subject = await createSubject(method, task);
    });
    for (const [name, check] of Object.entries(checks)) {
      it(name, () => check(subject));
    }
  },
);
