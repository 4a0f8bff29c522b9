import assert from 'node:assert/strict';
import { test } from 'node:test';
import { configJsonSchema } from '#anabranch/config/schema.js';

interface Node {
  readonly type?: string;
  readonly description?: string;
  readonly additionalProperties?: boolean;
  readonly properties?: Readonly<Record<string, Node>>;
  readonly items?: Node;
  readonly anyOf?: readonly Node[];
  readonly enum?: readonly string[];
  readonly required?: readonly string[];
}

/** All nodes of a schema. */
function walk(node: Node): Node[] {
  const below = [...Object.values(node.properties ?? {}), ...(node.items ? [node.items] : []), ...(node.anyOf ?? [])];
  return [node, ...below.flatMap(walk)];
}

const schema = configJsonSchema() as unknown as Node & { readonly $schema: string };

test('is a JSON Schema of draft 2020-12 that refuses unknown keys everywhere', () => {
  assert.equal(schema.$schema, 'https://json-schema.org/draft/2020-12/schema');
  const objects = walk(schema).filter(({ type }) => type === 'object');
  assert.ok(objects.length >= 10);
  for (const { additionalProperties } of objects) assert.equal(additionalProperties, false);
});

test('describes every single value', () => {
  const values = walk(schema).filter(
    ({ type, items }) => type !== undefined && type !== 'object' && items === undefined,
  );
  const names = values.filter(({ description }) => description === undefined);
  // The names in conditions explain themselves by their keys.
  assert.ok(names.length <= 8, JSON.stringify(names));
  assert.ok(values.length > 40);
});

test('knows what is required', () => {
  assert.deepEqual(schema.required, undefined);
  assert.deepEqual(schema.properties?.inbounds?.items?.required, ['type', 'listen']);
  assert.deepEqual(schema.properties?.outbounds?.items?.required, ['name', 'type']);
  assert.deepEqual(schema.properties?.rules?.items?.required, ['use']);
});
