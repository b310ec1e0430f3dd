/** The rivals of a comparison: left to Assay, or chosen one by one with their options. */

import { useState } from 'react';
import type { MethodInfo } from '../api/types.ts';
import { count } from '../parts/format.ts';
import {
  type DraftErrors,
  type Entry,
  errorsOf,
  startEntry,
} from './comparison-draft.ts';
import { SchemaFields } from './schema-fields.tsx';

interface Props {
  readonly entries: readonly Entry[] | null;
  readonly methods: readonly MethodInfo[];
  readonly defaults: readonly Entry[];
  readonly errors: DraftErrors;
  readonly onChange: (entries: readonly Entry[] | null) => void;
}

export function RivalEntries({ entries, methods, defaults, errors, onChange }: Props) {
  const nextKey = Math.max(-1, ...(entries ?? []).map((entry) => entry.key)) + 1;
  return (
    <>
      <div className="choices">
        <label className="check">
          <input
            type="radio"
            name="rivals"
            checked={entries === null}
            onChange={() => onChange(null)}
          />
          Every method, at the settings Assay suggests for the model
        </label>
        <label className="check">
          <input
            type="radio"
            name="rivals"
            checked={entries !== null}
            onChange={() => onChange(entries ?? defaults)}
          />
          Methods and options of my choice
        </label>
      </div>
      {entries === null ? null : (
        <>
          <ol className="entries">
            {entries.map((entry, index) => (
              <EntryCard
                key={entry.key}
                entry={entry}
                position={index + 1}
                errors={errorsOf(errors, String(entry.key))}
                onChange={(changed) =>
                  onChange(entries.map((one) => (one.key === entry.key ? changed : one)))
                }
                onRemove={() => onChange(entries.filter((one) => one.key !== entry.key))}
                onRepeat={() =>
                  onChange([
                    ...entries.slice(0, index + 1),
                    { ...entry, key: nextKey },
                    ...entries.slice(index + 1),
                  ])
                }
              />
            ))}
          </ol>
          {errors.entries ? (
            <p className="field-error" role="alert">
              {errors.entries}
            </p>
          ) : null}
          <p className="add-methods">
            Add
            {methods.map((method) => (
              <button
                key={method.name}
                type="button"
                className="quiet-button"
                onClick={() => onChange([...entries, startEntry(method, nextKey)])}
              >
                + {method.name}
              </button>
            ))}
          </p>
        </>
      )}
    </>
  );
}

interface CardProps {
  readonly entry: Entry;
  readonly position: number;
  readonly errors: Readonly<Record<string, string>>;
  readonly onChange: (entry: Entry) => void;
  readonly onRemove: () => void;
  readonly onRepeat: () => void;
}

function EntryCard(props: CardProps) {
  const { entry, position, errors, onChange, onRemove, onRepeat } = props;
  const [open, setOpen] = useState(false);
  // A single option more is better shown than counted.
  const leading = entry.fields.length > 4 ? 3 : 4;
  const more = entry.fields.slice(leading);
  const hiddenError = more.some((field) => field.name in errors);
  const change = (name: string, value: string | boolean) =>
    onChange({ ...entry, draft: { ...entry.draft, [name]: value } });
  const which = ` ${entry.method.name}, rival ${position}`;
  return (
    <li className="entry">
      <fieldset>
        <legend>{entry.method.title}</legend>
        <p className="muted">{entry.method.summary}</p>
        <SchemaFields
          fields={entry.fields.slice(0, leading)}
          draft={entry.draft}
          errors={errors}
          onChange={change}
        />
        {more.length > 0 ? (
          <details
            className="more-options"
            open={open || hiddenError}
            onToggle={(event) => setOpen(event.currentTarget.open)}
          >
            <summary>{count(more.length, 'more option')}</summary>
            <SchemaFields
              fields={more}
              draft={entry.draft}
              errors={errors}
              onChange={change}
            />
          </details>
        ) : null}
        <p className="entry-actions">
          <button type="button" className="quiet-button" onClick={onRepeat}>
            Repeat with other options<span className="visually-hidden">{which}</span>
          </button>
          <button type="button" className="quiet-button" onClick={onRemove}>
            Remove<span className="visually-hidden">{which}</span>
          </button>
        </p>
      </fieldset>
    </li>
  );
}
