/** Whether a paper runs here, and what was measured. */

import type { PaperItem } from '../api/types.ts';
import { Icon } from './icon.tsx';

type Paper = Pick<PaperItem, 'status' | 'verdict'>;

export function StatusTag({ status }: { readonly status: PaperItem['status'] }) {
  return status === 'runs' ? (
    <span className="tag tag-runs">Runs here</span>
  ) : (
    <span className="tag">Described</span>
  );
}

/** The verdict of a claim; nothing for a paper that is not built, as nothing can be measured. */
export function VerdictTag({ paper }: { readonly paper: Paper }) {
  if (paper.status === 'spec') return null;
  if (!paper.verdict) {
    return (
      <span className="verdict verdict-open">
        <Icon name="dash" /> Not measured yet
      </span>
    );
  }
  return <Verdict holds={paper.verdict.holds} />;
}

export function Verdict({ holds }: { readonly holds: boolean }) {
  return holds ? (
    <span className="verdict verdict-holds">
      <Icon name="check" /> Holds
    </span>
  ) : (
    <span className="verdict verdict-fails">
      <Icon name="cross" /> Does not hold
    </span>
  );
}
