// All SQL must do on PostgreSQL 12. The tests run on whatever server the machine has, so what later versions brought is
// looked for by name here (release notes 13 to 17, "Queries", "Functions", "Utility Commands").

import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';

const LATER: readonly (readonly [version: number, pattern: RegExp])[] = [
  [13, /\bgen_random_uuid\b|\bFETCH FIRST\b[^;]*\bWITH TIES\b|\bDROP DATABASE\b[^;]*\bFORCE\b/i],
  [
    14,
    /\bdate_bin\b|\bbit_count\b|\bstring_to_table\b|\btrim_array\b|\bmultirange\b|\bDETACH PARTITION\b[^;]*CONCURRENTLY/i,
  ],
  [14, /\bGROUP BY DISTINCT\b|\bSEARCH (?:DEPTH|BREADTH) FIRST\b|\bOR REPLACE TRIGGER\b|\bunnest\s*\([^)]*multirange/i],
  [15, /\bMERGE INTO\b|\bNULLS NOT DISTINCT\b|\bregexp_(?:count|instr|like|substr)\b|\bsecurity_invoker\b/i],
  [16, /\bany_value\b|\brandom_normal\b|\bIS JSON\b|\bJSON_(?:ARRAY|OBJECT)(?:AGG)?\s*\(|\bpg_input_is_valid\b/i],
  [17, /\bJSON_TABLE\b|\bJSON_(?:EXISTS|QUERY|VALUE)\b|\btransaction_timeout\b|\bto_(?:bin|oct)\b/i],
];

const SOURCES = ['src/flowlog', 'src/report', 'src/cli'].flatMap((directory) =>
  readdirSync(directory, { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.ts'))
    .map((file) => join(directory, file)),
);

test('no SQL asks for more than PostgreSQL 12', () => {
  assert.ok(SOURCES.length > 20);
  for (const file of SOURCES) {
    const text = readFileSync(file, 'utf8');
    for (const [version, pattern] of LATER) assert.equal(pattern.exec(text)?.[0], undefined, `${file}: of ${version}`);
  }
});

test('each pattern finds what it is for', () => {
  const later = [
    'SELECT date_bin($1, at, $2)',
    'MERGE INTO t USING u',
    'SELECT any_value(x)',
    "SELECT * FROM JSON_TABLE(x, '$')",
    'SELECT gen_random_uuid()',
    'SELECT count(*) FROM t GROUP BY DISTINCT a',
  ];
  for (const sql of later)
    assert.ok(
      LATER.some(([, pattern]) => pattern.test(sql)),
      sql,
    );
});
