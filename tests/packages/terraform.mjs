// The Terraform module, by HashiCorp's own reader and formatter, and held against the packaged template:
// `node tests/packages/terraform.mjs FOLDER-WITH-NODE_MODULES`, after the CDK package was built.
import assert from 'node:assert';
import { readFileSync, readdirSync } from 'node:fs';
import { createRequire } from 'node:module';
import { resolve } from 'node:path';
import { test } from 'node:test';
import { pathToFileURL } from 'node:url';

const require = createRequire(pathToFileURL(resolve(process.env.HCL_TOOLS, 'package.json')));
const { format } = require('@cdktf/hcl-tools');
const { parse } = require('@cdktf/hcl2json');
const FOLDER = 'packages/terraform';
const FILES = readdirSync(FOLDER).filter((name) => name.endsWith('.tf')).map((name) => `${FOLDER}/${name}`);
const TEMPLATE = JSON.parse(readFileSync('packages/cdk/template/pullsafe.json', 'utf8'));

async function module() {
  const parts = await Promise.all(FILES.map(async (file) => parse(file, readFileSync(file, 'utf8'))));
  const kind = (name) => Object.assign({}, ...parts.map((part) => part[name] ?? {}));
  return { resources: kind('resource'), variables: kind('variable'), outputs: kind('output'), locals: parts.flatMap((part) => part.locals ?? []) };
}

test('every file is formatted as terraform fmt does', async () => {
  for (const file of [...FILES, 'docs/examples/terraform.tf']) {
    const text = readFileSync(file, 'utf8');
    assert.strictEqual(await format(text), text, file);
  }
});

test('the examples of the documents are the language, and name variables that there are', async () => {
  const { variables } = await module();
  let examples = 0;
  for (const file of [`${FOLDER}/README.md`]) {
    for (const [, text] of readFileSync(file, 'utf8').matchAll(/```hcl\n([^]*?)```/g)) {
      const [[body]] = Object.values((await parse(file, text)).module);
      for (const name of Object.keys(body)) {
        assert.ok(name === 'source' || name in variables, `${file}: the module has no variable ${name}`);
      }
      const needed = Object.entries(variables).filter(([, [row]]) => !('default' in row)).map(([name]) => name);
      assert.deepStrictEqual(needed.filter((name) => !(name in body)), [], file);
      examples += 1;
    }
  }
  assert.ok(examples > 0);
});

test('its parameters and outputs are the template\'s', async () => {
  const { resources, outputs } = await module();
  const [stack] = resources.aws_cloudformation_stack.pullsafe;
  const given = readFileSync(`${FOLDER}/main.tf`, 'utf8').match(/merge\(var\.parameters, \{([^}]*)\}/)[1];
  const named = [...given.matchAll(/^ +(\w+) += var/gm)].map(([, name]) => name);
  assert.ok(named.length >= 4);
  for (const name of named) {
    assert.ok(name in TEMPLATE.Parameters, `the template has no parameter ${name}`);
  }
  for (const [name, [row]] of Object.entries(outputs)) {
    for (const [, output] of row.value.matchAll(/outputs\["(\w+)"\]/g)) {
      assert.ok(output in TEMPLATE.Outputs, `${name}: the template has no output ${output}`);
    }
  }
  const required = Object.entries(TEMPLATE.Parameters).filter(([, row]) => row.Default === undefined).map(([name]) => name);
  assert.deepStrictEqual(required.filter((name) => !named.includes(name)), [], 'a parameter without default is not given');
  assert.deepStrictEqual(stack.capabilities, ['CAPABILITY_IAM', 'CAPABILITY_AUTO_EXPAND']);
});

test('every variable is described and used, and takes what the template takes', async () => {
  const { variables } = await module();
  const text = readFileSync(`${FOLDER}/main.tf`, 'utf8');
  for (const [name, [row]] of Object.entries(variables)) {
    assert.ok(row.description.length > 0, name);
    assert.ok(text.includes(`var.${name}`), `${name} is not used`);
  }
  const modes = readFileSync(`${FOLDER}/variables.tf`, 'utf8').match(/contains\(\[(.*)\], var\.mode\)/)[1];
  assert.deepStrictEqual(modes.split(', ').map((mode) => JSON.parse(mode)), TEMPLATE.Parameters.Mode.AllowedValues);
  assert.ok(readFileSync(`${FOLDER}/variables.tf`, 'utf8').includes(TEMPLATE.Parameters.CodePrefix.AllowedPattern));
});
