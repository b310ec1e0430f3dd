/** Inputs for the fields of a schema, with descriptions and messages tied to each. */

import { useId } from 'react';
import { type Draft, expectation, type Field } from './fields.ts';

interface Props {
  readonly fields: readonly Field[];
  readonly draft: Draft;
  readonly errors: Readonly<Record<string, string>>;
  readonly onChange: (name: string, value: string | boolean) => void;
}

export function SchemaFields({ fields, draft, errors, onChange }: Props) {
  return (
    <div className="fields">
      {fields.map((field) => (
        <SchemaField
          key={field.name}
          field={field}
          value={draft[field.name] ?? ''}
          error={errors[field.name]}
          onChange={(value) => onChange(field.name, value)}
        />
      ))}
    </div>
  );
}

interface FieldProps {
  readonly field: Field;
  readonly value: string | boolean;
  readonly error: string | undefined;
  readonly onChange: (value: string | boolean) => void;
}

function SchemaField({ field, value, error, onChange }: FieldProps) {
  const id = useId();
  const described = [`${id}-note`, error ? `${id}-error` : ''].join(' ').trim();
  const shared = {
    id,
    name: field.name,
    'aria-describedby': described,
    'aria-invalid': error ? true : undefined,
  };
  const note = (
    <p className="field-note" id={`${id}-note`}>
      {field.description} {rangeNote(field)}
    </p>
  );
  const message = error ? (
    <p className="field-error" id={`${id}-error`}>
      {error}
    </p>
  ) : null;

  if (field.kind === 'boolean') {
    return (
      <div className="field field-switch">
        <label className="check" htmlFor={id}>
          <input
            {...shared}
            type="checkbox"
            checked={value === true}
            onChange={(event) => onChange(event.target.checked)}
          />
          {field.label}
        </label>
        {note}
        {message}
      </div>
    );
  }
  return (
    <div className="field">
      <label htmlFor={id}>
        {field.label}
        {field.optional && field.default === null ? (
          <span className="field-optional"> optional</span>
        ) : null}
      </label>
      <Control
        field={field}
        shared={shared}
        value={typeof value === 'string' ? value : ''}
        onChange={onChange}
      />
      {note}
      {message}
    </div>
  );
}

interface ControlProps {
  readonly field: Field;
  readonly shared: { readonly id: string; readonly name: string };
  readonly value: string;
  readonly onChange: (value: string) => void;
}

function Control({ field, shared, value, onChange }: ControlProps) {
  if (field.kind === 'choice') {
    return (
      <select
        {...shared}
        value={value}
        onChange={(event) => onChange(event.target.value)}
      >
        {field.default === null ? <option value="">Not set</option> : null}
        {field.choices.map((choice) => (
          <option key={choice} value={String(choice)}>
            {choice}
          </option>
        ))}
      </select>
    );
  }
  if (field.kind === 'list') {
    return (
      <textarea
        {...shared}
        rows={2}
        spellCheck={false}
        value={value}
        onChange={(event) => onChange(event.target.value)}
      />
    );
  }
  const numeric = field.kind === 'number' || field.kind === 'integer';
  const mode = field.kind === 'integer' ? 'numeric' : 'decimal';
  return (
    <input
      {...shared}
      type="text"
      className={numeric ? 'numeric' : undefined}
      inputMode={numeric ? mode : 'text'}
      autoComplete="off"
      autoCapitalize="off"
      spellCheck={false}
      placeholder={field.default === null ? undefined : String(field.default)}
      value={value}
      onChange={(event) => onChange(event.target.value)}
    />
  );
}

function rangeNote(field: Field): string {
  if (field.kind === 'list') return 'One a line.';
  const bounded = field.minimum !== null || field.maximum !== null;
  if (!bounded || (field.kind !== 'number' && field.kind !== 'integer')) return '';
  const said = [field.minimum, field.maximum].every(
    (bound) => bound === null || new RegExp(`\\b${bound}\\b`).test(field.description),
  );
  if (said) return '';
  const words = expectation(field);
  return `${words.charAt(0).toUpperCase()}${words.slice(1)}.`;
}
