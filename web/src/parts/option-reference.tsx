/** The reference of options: each with its flag, meaning, accepted values and default. */

import { expectation, type Field, flagOf } from '../form/fields.ts';

export function OptionReference({ fields }: { readonly fields: readonly Field[] }) {
  if (fields.length === 0) return <p className="muted">It has none.</p>;
  return (
    <dl className="options">
      {fields.map((field) => (
        <OptionEntry key={field.name} field={field} />
      ))}
    </dl>
  );
}

function OptionEntry({ field }: { readonly field: Field }) {
  const switchNote = field.kind === 'boolean' ? 'on or off' : expectation(field);
  return (
    <div className="option">
      <dt>
        <code>{field.name}</code>
        <code className="option-flag">--{flagOf(field.name)}</code>
      </dt>
      <dd>
        <p>{field.description}</p>
        <p className="option-facts">
          {switchNote}
          {field.default === null ? (
            field.optional ? (
              ', may be left out'
            ) : (
              ', required'
            )
          ) : (
            <>
              , default <code>{JSON.stringify(field.default)}</code>
            </>
          )}
        </p>
      </dd>
    </div>
  );
}
