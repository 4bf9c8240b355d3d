/**
 * What the rules of the fast lowering work with: every value's ONNX name in each memory layout that something has
 * asked for. b is the block, 16 or 8; s, the samples side by side, is b or another number, see `sample-groups.ts`.
 *
 *   plain    row-major, as the graph says
 *   lanes    [N/s, C, H, W, s of N]
 *   maps     [N/s, C/b, H, W, s of N, b of C]; ONNX sees [N/s, C, H, W·s], so a step in W is a step of s there
 *   weights  see `weight-order.ts`; ONNX sees the value's own shape
 *
 * The batch is padded to a multiple of s. What lies in the padding is zero in `lanes`, and in `maps` anything finite
 * unless `zeroTailed` was asked for.
 */
import { type Shape, SternaError, sizeOf } from '../../core/index.ts'
import type { Graph, GraphNode, OperatorName, Value } from '../../graph/index.ts'
import { graphValue } from '../lowered-model.ts'
import { ints, type OnnxAttributes, type OnnxEmitter, string } from '../onnx-emitter.ts'
import type { Layouts } from './assign-layouts.ts'
import type { ConvPlan } from './conv-plan.ts'
import { type SampleGroups, sampleGroups } from './sample-groups.ts'
import { inverse, type WeightOrder } from './weight-order.ts'

export const nchwcDomain = 'com.microsoft.nchwc'

/** Sizes of a blocked map. */
export interface MapSizes extends SampleGroups {
  readonly channels: number
  /** C/b */
  readonly blocks: number
  readonly height: number
  readonly width: number
}

export interface ConvCall {
  readonly kernel: readonly [number, number]
  readonly strides?: readonly [number, number]
  readonly dilations?: readonly [number, number]
  readonly pads?: readonly [number, number, number, number]
  readonly groups?: number
  readonly bias?: string | undefined
  /** Added to the result; overwritten where nothing reads it later. */
  readonly sum?: string | undefined
  readonly relu?: boolean
}

interface Form {
  readonly name: string
  readonly layout: 'plain' | 'lanes' | 'maps' | WeightOrder
}

const keyOf = (layout: Form['layout']): string => (typeof layout === 'string' ? layout : layout.key)

export class BlockedEmission {
  readonly e: OnnxEmitter
  readonly graph: Graph
  readonly block: number
  readonly layouts: Layouts
  /** Bytes of the maps that one pass over another map gives, by their ONNX names. */
  readonly cheap = new Map<string, number>()
  readonly #forms = new Map<string, Map<string, Form>>()
  readonly #made = new Map<string, string>()
  /** ONNX names of maps whose padding is known to be zero. */
  readonly #zeroTails = new Set<string>()

  constructor(e: OnnxEmitter, graph: Graph, block: number, layouts: Layouts) {
    this.e = e
    this.graph = graph
    this.block = block
    this.layouts = layouts
    for (const { name } of graph.inputs) this.definePlain(name)
    for (const name of graph.constants.keys()) this.definePlain(name)
    for (const { name } of graph.parameters) {
      const order = layouts.weights.get(name)
      if (order === undefined) this.definePlain(name)
      else this.#define(name, { name, layout: order })
    }
  }

  value(name: string): Value {
    return graphValue(this.graph, name, 'fast lowering')
  }

  shape(name: string): Shape {
    return this.value(name).shape
  }

  plan(node: GraphNode): ConvPlan | undefined {
    return this.layouts.convolutions.get(node.name)
  }

  isMap(name: string): boolean {
    return this.layouts.maps.has(name)
  }

  sizes(name: string): MapSizes {
    return this.sizesOf(this.shape(name))
  }

  sizesOf(shape: Shape): MapSizes {
    const [n, channels, height, width] = shape as [number, number, number, number]
    return { ...sampleGroups(n, this.block), channels, blocks: channels / this.block, height, width }
  }

  /** The shape in which ONNX sees a map. */
  mapShape({ samples, groups, channels, height, width }: MapSizes): Shape {
    return [groups, channels, height, width * samples]
  }

  definePlain(name: string, onnxName = name): void {
    this.#define(name, { name: onnxName, layout: 'plain' })
  }

  defineMaps(name: string, onnxName: string, hasZeroTail: boolean): void {
    this.#define(name, { name: onnxName, layout: 'maps' })
    if (hasZeroTail) this.#zeroTails.add(onnxName)
  }

  defineWeight(name: string, onnxName: string, order: WeightOrder): void {
    this.#define(name, { name: onnxName, layout: order })
  }

  plain(name: string): string {
    return this.#form(name, 'plain', source => {
      if (source.layout === 'lanes') return this.#lanesToPlain(source.name, this.shape(name))
      if (source.layout === 'maps') return this.#mapsToPlain(source.name, this.shape(name))
      return this.#fromWeight(source.name, source.layout as WeightOrder, this.shape(name))
    })
  }

  lanes(name: string): string {
    return this.#form(name, 'lanes', source => {
      if (source.layout === 'maps') return this.#mapsToLanes(source.name, this.shape(name))
      return this.#plainToLanes(this.plain(name), this.shape(name))
    })
  }

  maps(name: string): string {
    return this.#form(name, 'maps', source => {
      const lanes =
        source.layout === 'lanes' ? source.name : this.#plainToLanes(this.plain(name), this.shape(name))
      const maps = this.lanesToMaps(lanes, this.sizes(name))
      this.#zeroTails.add(maps)
      return maps
    })
  }

  weight(name: string, order: WeightOrder): string {
    return this.#form(name, order, () => this.#toWeight(this.plain(name), order, this.shape(name)))
  }

  /** In the layout that the value has been computed in, for what does not depend on the order of elements. */
  anyOrder(name: string): { readonly name: string; readonly order: WeightOrder | undefined } {
    const forms = this.#known(name)
    for (const { name: onnxName, layout } of forms.values()) {
      if (layout === 'plain') return { name: onnxName, order: undefined }
      if (typeof layout !== 'string') return { name: onnxName, order: layout }
    }
    return { name: this.plain(name), order: undefined }
  }

  isZeroTailed(onnxName: string, n: number): boolean {
    const { samples, groups } = sampleGroups(n, this.block)
    return n === samples * groups || this.#zeroTails.has(onnxName)
  }

  /** A map whose padding is zero. */
  zeroTailed(onnxName: string, sizes: MapSizes): string {
    if (this.isZeroTailed(onnxName, sizes.n)) return onnxName
    const { samples, groups, blocks, height, width, n } = sizes
    const { block, e } = this
    const lane = Array.from({ length: groups * samples }, (_, sample) => (sample < n ? 1 : 0))
    const mask = e.floats(
      lane.flatMap(real => Array.from({ length: block }, () => real)),
      [groups, 1, samples * block],
    )
    const view = e.reshape(onnxName, [groups, blocks * height * width, samples * block])
    const masked = e.reshape(e.emit('Mul', [view, mask]), this.mapShape(sizes))
    this.#zeroTails.add(masked)
    return masked
  }

  /** What has been made for the same key, else what `make` gives. */
  once(key: string, make: () => string): string {
    const made = this.#made.get(key) ?? make()
    this.#made.set(key, made)
    return made
  }

  /** An operator of the blocked kernels. */
  blocked(
    opType: string,
    inputs: readonly string[],
    attributes: OnnxAttributes = {},
    output?: string,
  ): string {
    return this.e.emit(opType, inputs, attributes, output ?? this.e.fresh(), nchwcDomain)
  }

  conv(x: string, weight: string, call: ConvCall): string {
    const { kernel, strides = [1, 1], dilations = [1, 1], pads = [0, 0, 0, 0], groups = 1 } = call
    const { bias = '', sum = '', relu = false } = call
    const inputs = [x, weight, bias, sum]
    while (inputs.at(-1) === '') inputs.pop()
    return this.blocked('Conv', inputs, {
      kernel_shape: ints(kernel),
      strides: ints(strides),
      dilations: ints(dilations),
      pads: ints(pads),
      group: { kind: 'int', value: groups },
      ...(relu && { activation: string('Relu') }),
    })
  }

  /** [.., b, b] tiles transposed: `tiles` of them one after the other. */
  transposeTiles(x: string, tiles: number): string {
    const { block } = this
    return this.blocked('ReorderInput', [this.e.reshape(x, [tiles, block, 1, block])])
  }

  lanesToMaps(lanes: string, sizes: MapSizes): string {
    return this.blocked('ReorderInput', [this.e.reshape(lanes, this.mapShape(sizes))])
  }

  #plainToLanes(plain: string, shape: Shape): string {
    const [n, channels, height, width] = shape as [number, number, number, number]
    const { e, block } = this
    const { samples, groups } = sampleGroups(n, block)
    const size = channels * height * width
    const padding = groups * samples - n
    const flat = e.reshape(plain, [n, size])
    const padded = padding === 0 ? flat : e.emit('Pad', [flat, e.integers([0, 0, padding, 0]), e.scalar(0)])
    const lanes =
      samples === block
        ? this.blocked('ReorderInput', [e.reshape(padded, [groups, block, 1, size])])
        : e.transpose(e.reshape(padded, [groups, samples, size]), [0, 2, 1])
    return e.reshape(lanes, [groups, channels, height, width * samples])
  }

  #lanesToPlain(lanes: string, shape: Shape): string {
    const [n, channels, height, width] = shape as [number, number, number, number]
    const { e, block } = this
    const { samples, groups } = sampleGroups(n, block)
    const size = channels * height * width
    const plain =
      samples === block
        ? this.blocked('ReorderOutput', [e.reshape(lanes, [groups, block, 1, size])], {
            channels: { kind: 'int', value: block },
          })
        : e.transpose(e.reshape(lanes, [groups, size, samples]), [0, 2, 1])
    const flat = e.reshape(plain, [groups * samples, size])
    const kept =
      groups * samples === n
        ? flat
        : e.emit('Slice', [flat, e.integers([0]), e.integers([n]), e.integers([0])])
    return e.reshape(kept, shape)
  }

  #mapsToLanes(maps: string, shape: Shape): string {
    return this.blocked('ReorderOutput', [maps], { channels: { kind: 'int', value: shape[1]! } })
  }

  #mapsToPlain(maps: string, shape: Shape): string {
    return this.#lanesToPlain(this.#mapsToLanes(maps, shape), shape)
  }

  #toWeight(plain: string, { dims, perm }: WeightOrder, shape: Shape): string {
    return this.e.reshape(this.e.transpose(this.e.reshape(plain, dims), perm), shape)
  }

  #fromWeight(memory: string, { dims, perm }: WeightOrder, shape: Shape): string {
    const permuted = this.e.reshape(
      memory,
      perm.map(axis => dims[axis]!),
    )
    return this.e.reshape(this.e.transpose(permuted, inverse(perm)), shape)
  }

  #define(name: string, form: Form): void {
    const forms = this.#forms.get(name) ?? new Map<string, Form>()
    this.#forms.set(name, forms.set(keyOf(form.layout), form))
  }

  #known(name: string): ReadonlyMap<string, Form> {
    const forms = this.#forms.get(name)
    if (forms === undefined)
      throw new SternaError(
        'graph/unknown-value',
        `graph "${this.graph.name}": "${name}" is used before it is defined`,
      )
    return forms
  }

  #form(name: string, layout: Form['layout'], convert: (source: Form) => string): string {
    const forms = this.#known(name)
    const known = forms.get(keyOf(layout))
    if (known !== undefined) return known.name
    const sources = [...forms.values()]
    const made = convert(sources.find(source => source.layout === 'lanes') ?? sources[0]!)
    this.#define(name, { name: made, layout })
    return made
  }
}

/** Whether a value has one element, so that it is broadcast whatever the layout. */
export function isSingle(shape: Shape): boolean {
  return sizeOf(shape) === 1
}

export type BlockedNode<Name extends OperatorName> = Extract<GraphNode, { readonly op: Name }>

/** Emits a node on blocks, or returns false to leave it to the standard operators. */
export type BlockedRule<Name extends OperatorName> = (
  emission: BlockedEmission,
  node: BlockedNode<Name>,
) => boolean

export type BlockedRules = { readonly [Name in OperatorName]?: BlockedRule<Name> }
