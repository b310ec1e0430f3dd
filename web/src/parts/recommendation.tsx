/** The advice that a comparison ends with. */

import type { Recommendation } from '../api/types.ts';
import { formatOptions } from './format.ts';

interface Props {
  readonly recommendation: Recommendation | null;
  readonly options?: string;
}

export function RecommendationView({ recommendation, options }: Props) {
  if (!recommendation) {
    return (
      <div className="advice">
        <p className="advice-title">No recommendation</p>
        <p>No rival met the budget. Allow more, or compare other settings.</p>
      </div>
    );
  }
  return (
    <div className="advice advice-given">
      <p className="advice-title">
        Use <strong>{recommendation.method}</strong>{' '}
        <span className="advice-options">
          {options ?? formatOptions(recommendation.options)}
        </span>
      </p>
      <p>{recommendation.reason}</p>
    </div>
  );
}
