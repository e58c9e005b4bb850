import { readFileSync } from 'fs';
import { join } from 'path';

/** The packaged template of the release, as JSON with long forms (tools/template.mjs). */
export interface Template {
  readonly Description: string;
  readonly Transform: string;
  readonly Globals: { readonly Function: Fields };
  readonly Parameters: { readonly [name: string]: ParameterFields };
  readonly Conditions: Fields;
  readonly Mappings: { readonly [name: string]: { [key: string]: { [key: string]: any } } };
  readonly Resources: { readonly [name: string]: ResourceFields };
  readonly Outputs: { readonly [name: string]: OutputFields };
}

/** Any mapping. */
export interface Fields {
  readonly [name: string]: any;
}

export interface ParameterFields {
  readonly Type: string;
  readonly Default?: string | number;
  readonly Description?: string;
  readonly AllowedPattern?: string;
  readonly AllowedValues?: any[];
  readonly ConstraintDescription?: string;
  readonly MaxLength?: number;
  readonly MinValue?: number;
  readonly MaxValue?: number;
}

export interface ResourceFields extends Fields {
  readonly Type: string;
  readonly Properties?: Fields;
}

export interface OutputFields {
  readonly Value: any;
  readonly Description?: string;
  readonly Condition?: string;
  readonly Export?: { readonly Name: any };
}

/** Reads it. */
export function read(): Template {
  return JSON.parse(readFileSync(join(__dirname, '..', 'template', 'pullsafe.json'), 'utf8'));
}

/** Why a value is none of a parameter's, or nothing if it is one. */
export function fault(parameter: ParameterFields, value: string): string | undefined {
  const all = parameter.Type === 'CommaDelimitedList' ? value.split(',') : [value];
  const { AllowedValues: values, AllowedPattern: pattern, ConstraintDescription: meant } = parameter;
  if (values !== undefined && !values.map(String).includes(value)) {
    return `one of ${values.join(', ')}`;
  }
  if (pattern !== undefined && !all.every((one) => new RegExp(`^(?:${pattern})$`).test(one))) {
    return meant ?? `text like ${pattern}`;
  }
  if (parameter.MaxLength !== undefined && value.length > parameter.MaxLength) {
    return `at most ${parameter.MaxLength} characters`;
  }
  const number = Number(value);
  if (parameter.Type === 'Number' && (value.trim() === '' || Number.isNaN(number))) {
    return 'a number';
  }
  if (number < (parameter.MinValue ?? -Infinity) || number > (parameter.MaxValue ?? Infinity)) {
    return `a number from ${parameter.MinValue ?? '-'} to ${parameter.MaxValue ?? '-'}`;
  }
  return undefined;
}

/**
 * A part of the template with some parameters filled in. They are not left as parameters with another default: whoever deploys an existing
 * stack again keeps the values that it has, and a change would come to nothing.
 */
export function filled(part: any, template: Template, values: { [name: string]: string }): any {
  const value = (name: string) => (template.Parameters[name].Type === 'CommaDelimitedList' ? values[name].split(',') : values[name]);
  const walk = (node: any): any => {
    if (Array.isArray(node)) {
      return node.map(walk);
    }
    if (node === null || typeof node !== 'object') {
      return node;
    }
    if (typeof node.Ref === 'string' && node.Ref in values) {
      return value(node.Ref);
    }
    if ('Fn::Sub' in node) {
      const [text, named] = Array.isArray(node['Fn::Sub']) ? node['Fn::Sub'] : [node['Fn::Sub'], {}];
      const used = Object.keys(values).filter((name) => text.includes(`\${${name}}`) && !(name in named));
      const all = { ...walk(named), ...Object.fromEntries(used.map((name) => [name, value(name)])) };
      return { 'Fn::Sub': Object.keys(all).length > 0 ? [text, all] : text };
    }
    return Object.fromEntries(Object.entries(node).map(([key, inner]) => [key, walk(inner)]));
  };
  return walk(part);
}
