/** The graph section: inputs, nodes and outputs. Edges are numbers there; names are made here. */

import { ByteReader } from '../byte-reader.ts'
import { fileLimits } from '../limits.ts'
import type { InferenceOperatorName } from '../operators.ts'
import type { Section } from './container.ts'
import { type FieldCoding, operatorById, operatorSchemas } from './operator-schema.ts'
import type { PackedModel, PackedNode } from './types.ts'

export interface ReadGraph extends Pick<PackedModel, 'name' | 'inputs' | 'outputs' | 'nodes'> {
  /** Every value in the order of its number: inputs, tensors, outputs of nodes. */
  readonly valueNames: readonly string[]
  /** A name for each entry of the tensor table. */
  readonly tensorNames: readonly string[]
}

interface RawNode {
  readonly op: InferenceOperatorName
  readonly name: string
  readonly inputs: readonly number[]
  readonly attributes: Readonly<Record<string, unknown>>
}

export function readGraph(bytes: Uint8Array, section: Section, tensorCount: number): ReadGraph {
  const reader = new ByteReader(bytes, section.start, section.end, 'graph section')
  const name = reader.name('model name')
  const inputs = Array.from({ length: reader.count('number of inputs', 1, fileLimits.inputs) }, () =>
    readInput(reader),
  )
  const raw: RawNode[] = []
  const nodeCount = reader.count('number of nodes', 1, fileLimits.nodes)
  const firstOutput = inputs.length + tensorCount
  for (let index = 0; index < nodeCount; index++) raw.push(readNode(reader, index, firstOutput + index))

  const edges: string[] = inputs.map(input => input.name)
  edges.length = firstOutput + nodeCount
  const outputs = readOutputs(reader, firstOutput, edges)
  reader.expectEnd()

  nameTensors(reader, raw, inputs.length, firstOutput, edges)
  for (let index = 0; index < nodeCount; index++) edges[firstOutput + index] ??= `${raw[index]!.name}:out`
  expectDistinct(reader, edges, 'value')
  expectDistinct(
    reader,
    raw.map(node => node.name),
    'node',
  )
  const nodes = raw.map(
    (node, index) =>
      ({
        op: node.op,
        name: node.name,
        inputs: node.inputs.map(edge => edges[edge]!),
        outputs: [edges[firstOutput + index]!],
        attributes: node.attributes,
      }) as PackedNode,
  )
  const tensorNames = edges.slice(inputs.length, firstOutput)
  return { name, inputs, outputs, nodes, valueNames: edges, tensorNames }
}

function readInput(reader: ByteReader): { readonly name: string; readonly shape: readonly number[] } {
  const start = reader.offset
  const name = readFilledName(reader, 'input name')
  const shape = reader.shape(`input "${name}"`)
  if (shape[0] !== 1) {
    throw reader.failure(
      'file/damaged',
      `input "${name}": expected a first axis of size 1 (the batch), found [${shape}]`,
      start,
    )
  }
  if (shape.reduce((product, dimension) => product * dimension, 1) > fileLimits.inputElements) {
    throw reader.failure(
      'file/limit',
      `input "${name}": expected at most ${fileLimits.inputElements} elements`,
      start,
    )
  }
  return { name, shape }
}

function readNode(reader: ByteReader, index: number, edgesBefore: number): RawNode {
  const start = reader.offset
  const byte = reader.u8()
  const op = operatorById(byte & 0x7f)
  if (op === undefined) {
    throw reader.failure('file/unsupported', `node ${index}: operator ${byte & 0x7f} is not known`, start)
  }
  const name = byte & 0x80 ? reader.frontCodedName(`node ${index}, name`) : `${op}#${index}`
  if (name === '')
    throw reader.failure('file/damaged', `node ${index}: expected a name that is not empty`, start)
  const schema = operatorSchemas[op]
  const attributes: Record<string, unknown> = {}
  for (const [key, coding] of Object.entries(schema.attributes) as [string, FieldCoding][]) {
    attributes[key] = readField(reader, coding, `node "${name}", ${key}`)
  }
  const { minInputs, maxInputs } = schema
  const count =
    minInputs === maxInputs
      ? minInputs
      : reader.count(`node "${name}", number of inputs`, minInputs, maxInputs)
  const inputs = Array.from({ length: count }, () => {
    const at = reader.offset
    const edge = reader.varint()
    if (edge >= edgesBefore) {
      throw reader.failure(
        'file/damaged',
        `node "${name}": expected a value before ${edgesBefore}, found ${edge}`,
        at,
      )
    }
    return edge
  })
  return { op, name, inputs, attributes }
}

function readField(reader: ByteReader, coding: FieldCoding, what: string): unknown {
  const start = reader.offset
  switch (coding) {
    case 'count':
      return reader.count(what, 1, fileLimits.dimension)
    case 'integer':
      return reader.signed()
    case 'number': {
      const value = reader.f32()
      if (Number.isNaN(value))
        throw reader.failure('file/damaged', `${what}: expected a number, found NaN`, start)
      return value
    }
    case 'flag': {
      const value = reader.u8()
      if (value > 1) throw reader.failure('file/damaged', `${what}: expected 0 or 1, found ${value}`, start)
      return value === 1
    }
    case 'counts2':
      return [reader.count(what, 1, fileLimits.dimension), reader.count(what, 1, fileLimits.dimension)]
    case 'sizes4':
      return Array.from({ length: 4 }, () => reader.count(what, 0, fileLimits.dimension))
    case 'integers':
      return Array.from({ length: reader.count(`${what}, length`, 0, fileLimits.attributeList) }, () =>
        reader.signed(),
      )
    default:
      return coding satisfies never
  }
}

/** Outputs are values of nodes, each with a name of its own; `edges` receives the names. */
function readOutputs(reader: ByteReader, firstOutput: number, edges: string[]): readonly string[] {
  return Array.from({ length: reader.count('number of outputs', 1, fileLimits.outputs) }, () => {
    const start = reader.offset
    const edge = reader.varint()
    if (edge < firstOutput || edge >= edges.length || edges[edge] !== undefined) {
      throw reader.failure(
        'file/damaged',
        `outputs: expected a node's value not listed before, found ${edge}`,
        start,
      )
    }
    const name = readFilledName(reader, 'output name')
    edges[edge] = name
    return name
  })
}

/** A tensor is called after the first node that reads it and its role there: `conv1.weight`. */
function nameTensors(
  reader: ByteReader,
  nodes: readonly RawNode[],
  first: number,
  end: number,
  edges: string[],
): void {
  for (const node of nodes) {
    const roles = operatorSchemas[node.op].roles
    node.inputs.forEach((edge, position) => {
      if (edge >= first && edge < end)
        edges[edge] ??= `${node.name}.${roles?.[position] ?? `operand${position}`}`
    })
  }
  for (let edge = first; edge < end; edge++) {
    if (edges[edge] === undefined) {
      throw reader.failure(
        'file/damaged',
        `expected every tensor to be read by a node; tensor ${edge - first} is not`,
      )
    }
  }
}

function readFilledName(reader: ByteReader, what: string): string {
  const start = reader.offset
  const name = reader.name(what)
  if (name === '') throw reader.failure('file/damaged', `${what}: expected at least one character`, start)
  return name
}

function expectDistinct(reader: ByteReader, names: readonly string[], what: string): void {
  const seen = new Set<string>()
  for (const name of names) {
    if (seen.has(name))
      throw reader.failure('file/damaged', `expected distinct names, found two ${what}s named "${name}"`)
    seen.add(name)
  }
}
