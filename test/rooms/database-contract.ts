/** What any database of the lab must do, the embedded one and a server alike. */

import { expect, it, onTestFinished } from 'vitest';
import { searchPapers, storePapers } from '../../src/feed/paper-table.ts';
import type { Database } from '../../src/lab/database/database.ts';
import { migrate, migrations } from '../../src/lab/database/migrations.ts';
import { papers } from './papers.ts';

/** Defines the tests; `open` gives an empty database each time. */
export function testDatabase(open: () => Promise<Database>): void {
  const opened = async () => {
    const database = await open();
    onTestFinished(() => database.close());
    return database;
  };

  it('keeps transactions whole and apart, and goes on after errors', async () => {
    const database = await opened();
    await database.execute('create table pair (a int, b int); select 1');
    await expect(
      database.transaction(async (transaction) => {
        await transaction.query('insert into pair values (1, 1)');
        throw new Error('changed my mind');
      }),
    ).rejects.toThrow('changed my mind');
    await expect(
      database.transaction((transaction) => transaction.query('select no_column')),
    ).rejects.toThrow(/no_column/);
    await expect(database.execute('begin; select no_column; commit')).rejects.toThrow();
    await expect(database.query('select $1::int', ['x'])).rejects.toMatchObject({
      code: '22P02',
    });
    // Twenty transactions at once, each of two statements: none may see half of another.
    await Promise.all(
      Array.from({ length: 20 }, (_, index) =>
        database.transaction(async (transaction) => {
          await transaction.query('insert into pair values ($1, 0)', [index]);
          await transaction.query('update pair set b = a + 1 where a = $1', [index]);
        }),
      ),
    );
    const { rows } = await database.query<{ n: number; wrong: number }>(
      `select count(*)::int as n, (count(*) filter (where b <> a + 1))::int as wrong
       from pair`,
    );
    expect(rows).toEqual([{ n: 20, wrong: 0 }]);
    const several = await database.execute('select 1 as x; select 2 as x');
    expect(several.rows).toEqual([{ x: 1 }, { x: 2 }]);
  });

  it('passes values of every kind that the lab uses', async () => {
    const database = await opened();
    const body = { text: 'o\'clock \\ " ünï 🙂', list: [1, null, true] };
    const { rows } = await database.query(
      'select $1::jsonb as body, $2::text as none, $3::timestamptz as at, $4::int as n',
      [JSON.stringify(body), null, '2024-05-01T12:00:00.000Z', 7],
    );
    expect(rows).toEqual([
      { body, none: null, at: new Date('2024-05-01T12:00:00.000Z'), n: 7 },
    ]);
  });

  it('applies each migration once, and none of a broken one', async () => {
    const database = await opened();
    expect(await migrate(database)).toEqual(migrations.map(({ name }) => name));
    expect(await migrate(database)).toEqual([]);
    const broken = {
      name: '9999 broken',
      sql: 'create table assay.half (x int); select no_column',
    };
    await expect(migrate(database, [...migrations, broken])).rejects.toThrow(/no_column/);
    const { rows } = await database.query(`select to_regclass('assay.half') as half`);
    expect(rows).toEqual([{ half: null }]);
    const concurrent = await Promise.all([migrate(database), migrate(database)]);
    expect(concurrent).toEqual([[], []]);
  });

  it('stores and searches papers', async () => {
    const database = await opened();
    await migrate(database);
    await storePapers(database, papers);
    await storePapers(database, papers.slice(1));
    const { rows } = await database.query('select slug from assay.paper order by slug');
    expect(rows).toEqual([{ slug: 'rounding' }, { slug: 'weights' }]);
    await storePapers(database, papers);
    for (const [query, slugs] of [
      ['quantizing weigh', ['weights', 'rounding']],
      ['smith letters', ['shift-paper']],
      ['"salient channels"', ['weights']],
      ['letters or integers', ['shift-paper', 'rounding']],
      ['müll', ['shift-paper']],
      ['nothing', []],
      ["'; drop table assay.paper; --", []],
    ] as const) {
      expect(await searchPapers(database, query), query).toEqual(slugs);
    }
  });
}
