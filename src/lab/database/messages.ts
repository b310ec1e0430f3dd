/** Messages between the owner's main thread and the thread that holds the embedded database. */

export type DatabaseRequest =
  | {
      readonly id: number;
      readonly type: 'query';
      readonly sql: string;
      readonly parameters: readonly unknown[];
    }
  | { readonly id: number; readonly type: 'execute'; readonly sql: string }
  | { readonly id: number; readonly type: 'close' };

export type DatabaseReply =
  | { readonly type: 'open'; readonly milliseconds: number }
  | { readonly type: 'unopened'; readonly message: string }
  | {
      readonly type: 'rows';
      readonly id: number;
      readonly rows: Record<string, unknown>[];
    }
  | {
      readonly type: 'failed';
      readonly id: number;
      readonly message: string;
      /** SQLSTATE and details, as PostgreSQL reports them. */
      readonly fields: Readonly<Record<string, unknown>>;
    };
