// Writes the packaged template as JSON with every function in its long form, which is what the CDK speaks: template/pullsafe.json.
import { execFileSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parseDocument, isScalar, isMap, isSeq } from 'yaml';

const packaged = execFileSync(fileURLToPath(new URL('../../../.ci/release', import.meta.url)), ['--template'], { encoding: 'utf8' });

/** A node as plain data; `!GetAtt a.b` becomes `{"Fn::GetAtt": ["a", "b"]}`. */
function plain(node) {
  const value = bare(node);
  const tag = node?.tag;
  if (!tag?.startsWith('!') || tag.startsWith('!!')) {
    return value;
  }
  const name = tag.slice(1);
  if (name === 'Ref' || name === 'Condition') {
    return { [name]: value };
  }
  const [resource, ...attribute] = name === 'GetAtt' && typeof value === 'string' ? value.split('.') : [];
  return { [`Fn::${name}`]: resource === undefined ? value : [resource, attribute.join('.')] };
}

function bare(node) {
  if (isMap(node)) {
    return Object.fromEntries(node.items.map(({ key, value }) => [key.value, plain(value)]));
  }
  if (isSeq(node)) {
    return node.items.map(plain);
  }
  return isScalar(node) ? node.value : node;
}

const tags = ['And', 'Condition', 'Equals', 'FindInMap', 'GetAtt', 'If', 'ImportValue', 'Join', 'Not', 'Or', 'Ref', 'Select', 'Split', 'Sub'];
const customTags = tags.flatMap((name) => [
  { tag: `!${name}`, resolve: (text) => text },
  { tag: `!${name}`, collection: 'map', resolve: (map) => map },
  { tag: `!${name}`, collection: 'seq', resolve: (seq) => seq },
]);
const document = parseDocument(packaged, { customTags });
if (document.errors.length > 0 || document.warnings.length > 0) {
  throw new Error([...document.errors, ...document.warnings].join('\n'));
}
const folder = new URL('../template/', import.meta.url);
mkdirSync(folder, { recursive: true });
writeFileSync(new URL('pullsafe.json', folder), `${JSON.stringify(plain(document.contents), null, 1)}\n`);
