/** The graph section: nodes by operator id, edges by number, names only where a reader could not make them. */
import type { PackedModel, PackedNode } from 'sterna-runtime'
import { type FieldCoding, fileLimits, operatorSchemas } from 'sterna-runtime/format'
import { SternaError } from '../core/index.ts'
import { ByteWriter, isStorableName } from './byte-writer.ts'

/** Slice takes "to the end" as any large number; the file holds 32 bits. */
const largest = 0x7fff_ffff

/** Tensor names in the order in which nodes first read them: the order of the file's tensor table. */
export function tensorOrder(model: PackedModel): readonly string[] {
  const order = new Set<string>()
  for (const node of model.nodes) {
    for (const input of node.inputs) if (model.tensors.has(input)) order.add(input)
  }
  for (const name of model.tensors.keys()) {
    if (!order.has(name)) throw new SternaError('graph/unknown-value', `tensor "${name}": no node reads it`)
  }
  return [...order]
}

export function writeGraph(model: PackedModel, tensors: readonly string[]): Uint8Array {
  const out = new ByteWriter()
  out.name(model.name === '' || isStorableName(model.name) ? model.name : storableName(model.name, 'model'))
  const edges = new Map<string, number>()
  const define = (name: string) => {
    if (edges.has(name)) throw new SternaError('graph/unknown-value', `the name "${name}" is defined twice`)
    edges.set(name, edges.size)
  }
  out.count(model.inputs.length, 1, fileLimits.inputs, 'number of inputs')
  model.inputs.forEach((input, index) => {
    define(input.name)
    if (input.shape[0] !== 1) {
      throw new SternaError(
        'graph/shape',
        `input "${input.name}": expected batch size 1 in the first position, found [${input.shape}]`,
      )
    }
    out.name(storableName(input.name, `input${index}`))
    out.shape(input.shape, `input "${input.name}"`)
  })
  tensors.forEach(define)

  out.count(model.nodes.length, 1, fileLimits.nodes, 'number of nodes')
  const names = new Set<string>()
  const firstOutput = edges.size
  for (const node of model.nodes) {
    // A node with tensors of its own is a layer, and layers are what people ask for by name.
    const isLayer = node.inputs.some(input => model.tensors.has(input))
    const named = isLayer && isStorableName(node.name) && !names.has(node.name)
    if (named) names.add(node.name)
    writeNode(out, node, named, edges)
    if (node.outputs.length !== 1) {
      throw new SternaError(
        'graph/shape',
        `node "${node.name}": expected 1 output, found ${node.outputs.length}`,
      )
    }
    define(node.outputs[0]!)
  }

  out.count(model.outputs.length, 1, fileLimits.outputs, 'number of outputs')
  model.outputs.forEach((name, index) => {
    const edge = edgeOf(edges, name, 'graph outputs')
    if (edge < firstOutput || model.outputs.indexOf(name) !== index) {
      throw new SternaError('graph/unknown-value', `output "${name}": expected a node's value, listed once`)
    }
    out.varint(edge)
    out.name(storableName(name, `output${index}`))
  })
  return out.finish()
}

function writeNode(
  out: ByteWriter,
  node: PackedNode,
  named: boolean,
  edges: ReadonlyMap<string, number>,
): void {
  const { id, minInputs, maxInputs, attributes } = operatorSchemas[node.op]
  const what = `node "${node.name}"`
  out.u8(named ? id | 0x80 : id)
  if (named) out.frontCodedName(node.name)
  const values = node.attributes as Readonly<Record<string, unknown>>
  for (const [key, coding] of Object.entries(attributes) as [string, FieldCoding][]) {
    writeField(out, coding, values[key], `${what}, ${key}`)
  }
  if (node.inputs.length < minInputs || node.inputs.length > maxInputs) {
    throw new SternaError(
      'graph/shape',
      `${what}: expected ${minInputs} to ${maxInputs} inputs, found ${node.inputs.length}`,
    )
  }
  if (minInputs !== maxInputs) out.varint(node.inputs.length)
  for (const input of node.inputs) out.varint(edgeOf(edges, input, what))
}

function writeField(out: ByteWriter, coding: FieldCoding, value: unknown, what: string): void {
  switch (coding) {
    case 'flag':
      out.u8(value === true ? 1 : 0)
      break
    case 'number':
      if (typeof value !== 'number' || Number.isNaN(value)) throw badField(what, 'a number', value)
      out.f32(value)
      break
    case 'integer':
      writeSigned(out, value, what)
      break
    case 'count':
      writeCount(out, value, 1, what)
      break
    case 'counts2':
      for (const item of list(value, what, 2)) writeCount(out, item, 1, what)
      break
    case 'sizes4':
      for (const item of list(value, what, 4)) writeCount(out, item, 0, what)
      break
    case 'integers': {
      const items = list(value, what)
      out.count(items.length, 0, fileLimits.attributeList, `${what}, length`)
      for (const item of items) writeSigned(out, item, what)
      break
    }
    default:
      coding satisfies never
  }
}

function writeCount(out: ByteWriter, value: unknown, low: number, what: string): void {
  if (!Number.isInteger(value)) throw badField(what, 'a whole number', value)
  out.count(value as number, low, fileLimits.dimension, what)
}

function writeSigned(out: ByteWriter, value: unknown, what: string): void {
  if (!Number.isInteger(value)) throw badField(what, 'a whole number', value)
  out.signed(Math.max(-largest, Math.min(largest, value as number)))
}

function list(value: unknown, what: string, length?: number): readonly unknown[] {
  if (!Array.isArray(value) || (length !== undefined && value.length !== length)) {
    throw badField(what, length === undefined ? 'a list' : `a list of ${length}`, value)
  }
  return value
}

function badField(what: string, expected: string, value: unknown): SternaError {
  return new SternaError('graph/attribute', `${what}: expected ${expected}, found ${JSON.stringify(value)}`)
}

function edgeOf(edges: ReadonlyMap<string, number>, name: string, where: string): number {
  const edge = edges.get(name)
  if (edge === undefined)
    throw new SternaError('graph/unknown-value', `${where}: no value is named "${name}"`)
  return edge
}

/** The name itself where a file can hold it, else something near it. */
function storableName(name: string, otherwise: string): string {
  if (isStorableName(name)) return name
  const cleaned = name.replace(/[\p{Cc}#]/gu, '_')
  return isStorableName(cleaned) ? cleaned : otherwise
}
