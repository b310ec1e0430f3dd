/** The advice that a comparison ends with. */

import type { ComparisonRow, Recommendation } from '../api/types.ts';
import { rowKey, shortOptions, tellingOptions } from './rows.ts';

interface Props {
  readonly recommendation: Recommendation | null;
  readonly rows: readonly ComparisonRow[];
}

export function RecommendationView({ recommendation, rows }: Props) {
  if (!recommendation) {
    return (
      <div className="advice">
        <p className="advice-title">No recommendation</p>
        <p>No rival met the budget. Allow more, or compare other settings.</p>
      </div>
    );
  }
  const row = rows.find((candidate) => rowKey(candidate) === rowKey(recommendation));
  return (
    <div className="advice advice-given">
      <p className="advice-title">
        Use <strong>{recommendation.method}</strong>{' '}
        <span className="advice-options">
          {row ? shortOptions(row, tellingOptions(rows)) : ''}
        </span>
      </p>
      <p>{recommendation.reason}</p>
    </div>
  );
}
